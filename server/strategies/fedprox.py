"""FedProx (Li et al. 2020, algorithm 2): FedAvg whose clients are held near the global weights."""

from __future__ import annotations

from flwr.serverapp import strategy as flwr

from common.scenario import strategies as spec
from server.strategies.flower import ALONE, FlowerStrategy


class FedProx(FlowerStrategy[flwr.FedProx]):
    """θ ← Σ nₖ θₖ / Σ nₖ, as FedAvg; the proximal term is the clients' half, `clients.algorithms.fedprox`."""

    def make(self, options: spec.FedProx) -> flwr.FedProx:
        """Flower's FedProx."""
        return flwr.FedProx(proximal_mu=options.mu, **ALONE)
