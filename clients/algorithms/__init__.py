"""What clients do beyond plain local training: `ALGORITHMS` maps a strategy's name to its clients' half.

A new algorithm is one file here, one of the same name in `server/strategies`, one line in each registry and one
class in `common.scenario.strategies`. Strategies whose clients just train have no file here.
"""

from __future__ import annotations

from clients.algorithms.base import Algorithm, Ended, OwnRound
from clients.algorithms.ditto import Ditto
from clients.algorithms.feddyn import FedDyn
from clients.algorithms.fedexp import FedExP
from clients.algorithms.fednova import FedNova
from clients.algorithms.fedprox import FedProx
from clients.algorithms.fedrep import FedRep
from clients.algorithms.ifca import IFCA
from clients.algorithms.moon import Moon
from clients.algorithms.pfedme import PFedMe
from clients.algorithms.scaffold import Scaffold

__all__ = ["ALGORITHMS", "Algorithm", "Ended", "OwnRound"]

ALGORITHMS: dict[str, type[Algorithm]] = {
    "fedprox": FedProx,
    "fedrep": FedRep,
    "ditto": Ditto,
    "scaffold": Scaffold,
    "fednova": FedNova,
    "feddyn": FedDyn,
    "fedexp": FedExP,
    "moon": Moon,
    "pfedme": PFedMe,
    "ifca": IFCA,
}
