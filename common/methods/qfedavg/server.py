"""q-FedAvg (Li et al. 2020, *Fair resource allocation in federated learning*, algorithm 2), by Flower's QFedAvg."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from flwr.serverapp import strategy as flwr

from common.extend.results import BlockResult
from common.extend.strategy import RoundStart
from common.methods.flower.server import ALONE, FlowerStrategy


class QFedAvg(FlowerStrategy):
    """θ ← θ − Σ Δₖ / Σ hₖ with uₖ = L (θ − θₖ), Δₖ = Fₖ^q uₖ, hₖ = q Fₖ^(q−1) ‖uₖ‖² + L Fₖ^q.

    Fₖ is the loss of the round's global weights on the client's training examples (line 6 of the algorithm), not the
    loss that training met on its way: clients are asked for it first. Clients that do not tell it are left out.
    """

    needs_client_losses: ClassVar[bool] = True

    def make(self, options: Any) -> flwr.QFedAvg:
        """Flower's QFedAvg."""
        rate = options.client_learning_rate or self.context.scenario.training.optimizer.lr
        return flwr.QFedAvg(client_learning_rate=rate, q=options.q, **ALONE)

    def reply_metrics(self, start: RoundStart, result: BlockResult, place: int) -> dict[str, float]:
        """What Flower's strategy takes for the loss is the one at the start."""
        loss = float(start.losses[result.block.places[place]])
        return super().reply_metrics(start, result, place) | {"train_loss": loss}

    def usable(self, start: RoundStart, result: BlockResult, place: int) -> bool:
        """Whether the client trained and told its loss."""
        known = bool(np.isfinite(start.losses[result.block.places[place]]))
        return super().usable(start, result, place) and known
