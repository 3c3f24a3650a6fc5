"""Federated averaging (McMahan et al. 2017, algorithm 1), by Flower's own FedAvg."""

from __future__ import annotations

from flwr.serverapp import strategy as flwr

from common.scenario import strategies as spec
from server.strategies.flower import ALONE, FlowerStrategy


class FedAvg(FlowerStrategy[flwr.FedAvg]):
    """θ ← Σ nₖ θₖ / Σ nₖ over the clients of the round, nₖ their training rows."""

    def make(self, options: spec.FedAvg) -> flwr.FedAvg:
        """Flower's FedAvg."""
        return flwr.FedAvg(**ALONE)
