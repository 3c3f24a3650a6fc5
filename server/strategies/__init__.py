"""The strategies: `STRATEGIES` maps each `federation.strategy.name` to its class.

A new strategy is one file here (and one of the same name in `clients/algorithms` where clients do something
of their own), one line in `STRATEGIES` and one class in `common.scenario.strategies`.
"""

from __future__ import annotations

from server.strategies.base import Strategy
from server.strategies.bulyan import Bulyan
from server.strategies.centralized import Centralized
from server.strategies.competition import Competition
from server.strategies.ditto import Ditto
from server.strategies.fedadagrad import FedAdagrad
from server.strategies.fedadam import FedAdam
from server.strategies.fedavg import FedAvg
from server.strategies.fedavgm import FedAvgM
from server.strategies.fedbn import FedBN
from server.strategies.feddyn import FedDyn
from server.strategies.fedexp import FedExP
from server.strategies.fedmedian import FedMedian
from server.strategies.fednova import FedNova
from server.strategies.fedper import FedPer
from server.strategies.fedprox import FedProx
from server.strategies.fedrep import FedRep
from server.strategies.fedtrimmedavg import FedTrimmedAvg
from server.strategies.fedyogi import FedYogi
from server.strategies.geometricmedian import GeometricMedian
from server.strategies.ifca import IFCA
from server.strategies.krum import Krum
from server.strategies.local import Local
from server.strategies.moon import Moon
from server.strategies.multikrum import MultiKrum
from server.strategies.pfedme import PFedMe
from server.strategies.qfedavg import QFedAvg
from server.strategies.scaffold import Scaffold

__all__ = ["STRATEGIES", "Strategy"]

STRATEGIES: dict[str, type[Strategy]] = {
    "fedavg": FedAvg,
    "fedprox": FedProx,
    "fedbn": FedBN,
    "fedper": FedPer,
    "fedrep": FedRep,
    "ditto": Ditto,
    "scaffold": Scaffold,
    "fednova": FedNova,
    "feddyn": FedDyn,
    "fedexp": FedExP,
    "moon": Moon,
    "geometricmedian": GeometricMedian,
    "centralized": Centralized,
    "local": Local,
    "pfedme": PFedMe,
    "ifca": IFCA,
    "fedavgm": FedAvgM,
    "fedadagrad": FedAdagrad,
    "fedadam": FedAdam,
    "fedyogi": FedYogi,
    "qfedavg": QFedAvg,
    "fedmedian": FedMedian,
    "fedtrimmedavg": FedTrimmedAvg,
    "krum": Krum,
    "multikrum": MultiKrum,
    "bulyan": Bulyan,
    "competition": Competition,
}
