"""Ditto (Li et al. 2021, algorithm 1): FedAvg, beside which each client trains a model of its own."""

from __future__ import annotations

from server.strategies.fedavg import FedAvg


class Ditto(FedAvg):
    """θ ← Σ nₖ θₖ / Σ nₖ, as FedAvg (line 8); the clients' own models are their half, `clients.algorithms.ditto`."""
