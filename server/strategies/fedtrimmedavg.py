"""The coordinates' trimmed mean (Yin et al. 2018, algorithm 1), by Flower's FedTrimmedAvg."""

from __future__ import annotations

from flwr.serverapp import strategy as flwr

from common.scenario import strategies as spec
from server.strategies.flower import ALONE, FlowerStrategy


class FedTrimmedAvg(FlowerStrategy[flwr.FedTrimmedAvg]):
    """θ ← each coordinate's mean over the clients without ⌊βn⌋ of the largest and as many of the smallest."""

    def make(self, options: spec.FedTrimmedAvg) -> flwr.FedTrimmedAvg:
        """Flower's FedTrimmedAvg."""
        return flwr.FedTrimmedAvg(beta=options.beta, **ALONE)
