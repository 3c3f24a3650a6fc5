"""The coordinates' median (Yin et al. 2018, algorithm 1), by Flower's FedMedian."""

from __future__ import annotations

from flwr.serverapp import strategy as flwr

from common.scenario import strategies as spec
from server.strategies.flower import ALONE, FlowerStrategy


class FedMedian(FlowerStrategy[flwr.FedMedian]):
    """θ ← the median of the clients' weights, coordinate by coordinate."""

    def make(self, options: spec.FedMedian) -> flwr.FedMedian:
        """Flower's FedMedian."""
        return flwr.FedMedian(**ALONE)
