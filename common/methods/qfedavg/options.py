"""q-FedAvg: what a scenario can choose of it."""

from __future__ import annotations

from typing import ClassVar

from common.scenario.base import key
from common.scenario.strategy import StrategyPart


class QFedAvg(
    StrategyPart,
    name="qfedavg",
    server="common.methods.qfedavg.server:QFedAvg",
):
    """q-FedAvg (Li et al. 2020, *Fair resource allocation*, algorithm 2): clients with a high loss count for more.

    The losses are those of the global weights on each client's training examples: every round begins with a message
    that asks for them.
    """

    needs_client_updates: ClassVar[bool] = True

    q: float = key("How much fairer: at 0 all clients count alike, whatever their loss.", 0.1, unit="none", ge=0)
    client_learning_rate: float | None = key(
        "1/L, the inverse of the gradients' Lipschitz constant as far as it is known; training.optimizer.lr if left "
        "out.",
        None,
        unit="none",
        gt=0,
    )
