"""Krum (Blanchard et al. 2017, section 4), by Flower's Krum."""

from __future__ import annotations

from flwr.serverapp import strategy as flwr

from common.scenario import strategies as spec
from server.strategies.flower import ALONE, FlowerStrategy


class Krum(FlowerStrategy[flwr.Krum]):
    """θ ← the weights with the least sum of squared distances to their n − f − 2 nearest."""

    def make(self, options: spec.Krum) -> flwr.Krum:
        """Flower's Krum."""
        return flwr.Krum(num_malicious_nodes=options.malicious_clients, **ALONE)
