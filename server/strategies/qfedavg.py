"""q-FedAvg (Li et al. 2020, *Fair resource allocation in federated learning*, algorithm 2), by Flower's QFedAvg."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from flwr.app import ArrayRecord
from flwr.serverapp import strategy as flwr

from common.arrays import Named, unpack
from common.data.prepared import Indices
from common.scenario import strategies as spec
from server.exchange.results import BlockResult
from server.strategies.base import Instructions
from server.strategies.flower import ALONE, FlowerStrategy


class QFedAvg(FlowerStrategy[flwr.QFedAvg]):
    """θ ← θ − Σ Δₖ / Σ hₖ with uₖ = L (θ − θₖ), Δₖ = Fₖ^q uₖ, hₖ = q Fₖ^(q−1) ‖uₖ‖² + L Fₖ^q.

    Fₖ is the loss of the round's global weights on the client's training rows (line 6 of the algorithm), not the
    loss that training met on its way: clients are asked for it first. Clients that do not tell it are left out.
    """

    noted: ClassVar[tuple[str, ...]] = ("current_arrays",)

    def make(self, options: spec.QFedAvg) -> flwr.QFedAvg:
        """Flower's QFedAvg."""
        rate = options.client_learning_rate or self.surroundings.scenario.training.optimizer.lr
        return flwr.QFedAvg(client_learning_rate=rate, q=options.q, **ALONE)

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """Ask the cohort for its losses at the weights that the round starts from."""
        self._losses = self.surroundings.losses(unpack(parameters) | buffers, cohort).mean
        return super().instruct(round_number, parameters, buffers, cohort)

    def reply_metrics(self, result: BlockResult, place: int) -> dict[str, float]:
        """What Flower's strategy takes for the loss is the one at the start."""
        loss = float(self._losses[result.block.places[place]])
        return super().reply_metrics(result, place) | {"train_loss": loss}

    def usable(self, result: BlockResult, place: int) -> bool:
        """Whether the client trained and told its loss."""
        return super().usable(result, place) and bool(np.isfinite(self._losses[result.block.places[place]]))
