"""Bulyan (El Mhamdi et al. 2018, section 4), by Flower's Bulyan."""

from __future__ import annotations

from flwr.serverapp import strategy as flwr

from common.scenario import strategies as spec
from server.strategies.flower import ALONE, FlowerStrategy


class Bulyan(FlowerStrategy[flwr.Bulyan]):
    """θ ← of the n − 2f that Krum ranks first, each coordinate's mean over the n − 4f nearest to their median."""

    def make(self, options: spec.Bulyan) -> flwr.Bulyan:
        """Flower's Bulyan."""
        return flwr.Bulyan(num_malicious_nodes=options.malicious_clients, **ALONE)
