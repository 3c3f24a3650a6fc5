"""How replies become the next global weights: one class for each `federation.strategy.name`."""

from __future__ import annotations

from typing import Annotated

from common.scenario.strategies.averaging import FedAvg, FedProx
from common.scenario.strategies.base import STRATEGIES, StrategyPart
from common.scenario.strategies.competition import Competition
from common.scenario.strategies.drift import FedDyn, FedExP, FedNova, Moon, Scaffold
from common.scenario.strategies.fair import QFedAvg
from common.scenario.strategies.personal import IFCA, Ditto, FedBN, FedPer, FedRep, PFedMe
from common.scenario.strategies.references import Centralized, Local
from common.scenario.strategies.robust import Bulyan, FedMedian, FedTrimmedAvg, GeometricMedian, Krum, MultiKrum
from common.scenario.strategies.server_optimizers import FedAdagrad, FedAdam, FedAvgM, FedYogi

__all__ = [
    "IFCA",
    "STRATEGIES",
    "Bulyan",
    "Centralized",
    "Competition",
    "Ditto",
    "FedAdagrad",
    "FedAdam",
    "FedAvg",
    "FedAvgM",
    "FedBN",
    "FedDyn",
    "FedExP",
    "FedMedian",
    "FedNova",
    "FedPer",
    "FedProx",
    "FedRep",
    "FedTrimmedAvg",
    "FedYogi",
    "GeometricMedian",
    "Krum",
    "Local",
    "Moon",
    "MultiKrum",
    "PFedMe",
    "QFedAvg",
    "Scaffold",
    "Strategy",
    "StrategyPart",
]

Strategy = Annotated[StrategyPart, STRATEGIES]
