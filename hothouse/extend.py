"""What parts of your own are made of: see docs/extending.md. A file that `uses:` names imports it.

A part is a class with a name whose options are fields made by `key`. Its base says what it is, and which methods it
needs: `StrategyPart`, `OptimizerPart`, `LossPart`, and so on.
"""

from __future__ import annotations

from common import seeds
from common.arrays import NamedArrays
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.draws import PixelRandom, TextRandom
from common.errors import InputError
from common.extend.client import (
    ClientAlgorithm,
    ClientContext,
    ClientLoop,
    ClientUpdate,
    Proximal,
    Stack,
    StepHook,
    as_state,
    clone,
    flatten,
    starting_weights,
    whole_network,
)
from common.extend.events import Event, Observer
from common.extend.results import BlockResult, client_metrics, client_weights, mean, total
from common.extend.selection import SelectionRule
from common.extend.source import ArraySource, DatasetSource
from common.extend.strategy import Instructions, RoundOutcome, RoundStart, Strategy, StrategyContext
from common.extend.tracker import TrackedRun, Tracker
from common.metrics import Examples, Sums
from common.models import Weights
from common.models.own_measures import NetworkBatch
from common.run_files import Metrics
from common.scenario.activations import ActivationPart
from common.scenario.augmentation import GeometricAugmentation, ImageAugmentation, TableAugmentation, TextAugmentation
from common.scenario.base import FilePath, key, refuse
from common.scenario.callbacks import CallbackPart
from common.scenario.initializations import InitializationPart
from common.scenario.losses import LossPart
from common.scenario.metrics import MetricPart
from common.scenario.model import ModelPart, NetworkData
from common.scenario.normalizations import NormalizationPart
from common.scenario.optimizers import OptimizerPart
from common.scenario.partitions import PartitionPart
from common.scenario.schedules import SchedulePart
from common.scenario.selection import SelectionPart
from common.scenario.skews import SkewPart
from common.scenario.sources import SourcePart
from common.scenario.strategy import StrategyPart
from common.scenario.tracking import TrackerPart
from common.stacks import Number, along, descend

__all__ = [
    "ActivationPart",
    "ArraySource",
    "BlockResult",
    "CallbackPart",
    "ClientAlgorithm",
    "ClientContext",
    "ClientLoop",
    "ClientUpdate",
    "DatasetSource",
    "Event",
    "Examples",
    "FilePath",
    "GeometricAugmentation",
    "ImageAugmentation",
    "Indices",
    "InitializationPart",
    "InputError",
    "Instructions",
    "LossPart",
    "MetricPart",
    "Metrics",
    "ModelPart",
    "NamedArrays",
    "NetworkBatch",
    "NetworkData",
    "NormalizationPart",
    "Number",
    "Observer",
    "OptimizerPart",
    "PartitionPart",
    "PixelRandom",
    "Proximal",
    "RoundOutcome",
    "RoundStart",
    "SchedulePart",
    "SelectionPart",
    "SelectionRule",
    "Shards",
    "SkewPart",
    "SourcePart",
    "Stack",
    "StepHook",
    "Strategy",
    "StrategyContext",
    "StrategyPart",
    "Sums",
    "Table",
    "TableAugmentation",
    "TextAugmentation",
    "TextRandom",
    "TrackedRun",
    "Tracker",
    "TrackerPart",
    "Weights",
    "along",
    "as_state",
    "client_metrics",
    "client_weights",
    "clone",
    "descend",
    "flatten",
    "key",
    "mean",
    "refuse",
    "seeds",
    "starting_weights",
    "total",
    "whole_network",
]
