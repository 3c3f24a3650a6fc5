"""Federated averaging with momentum on the server (Hsu et al. 2019, section 4.3), by Flower's FedAvgM."""

from __future__ import annotations

from typing import ClassVar

from flwr.app import ArrayRecord
from flwr.serverapp import strategy as flwr

from common.arrays import Named
from common.data.prepared import Indices
from common.scenario import strategies as spec
from server.strategies.base import Instructions
from server.strategies.flower import ALONE, FlowerStrategy


class FedAvgM(FlowerStrategy[flwr.FedAvgM]):
    """v ← β v + (θ − θ̄); θ ← θ − η v, with θ̄ the mean of the clients' weights."""

    carried: ClassVar[tuple[str, ...]] = ("momentum_vector",)
    noted: ClassVar[tuple[str, ...]] = ("current_arrays",)

    def make(self, options: spec.FedAvgM) -> flwr.FedAvgM:
        """Flower's FedAvgM."""
        return flwr.FedAvgM(
            server_learning_rate=options.server_learning_rate, server_momentum=options.server_momentum, **ALONE
        )

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """Let Flower's strategy, which looks at the weights in its first round only, start from what is sent."""
        self.strategy.current_arrays = None
        return super().instruct(round_number, parameters, buffers, cohort)
