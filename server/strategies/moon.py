"""MOON (Li, He, Song 2021, algorithm 1): FedAvg; the rest is the clients' half, `clients.algorithms.moon`."""

from __future__ import annotations

from server.strategies.fedavg import FedAvg


class Moon(FedAvg):
    """θ ← Σ nₖ θₖ / Σ nₖ (lines 9 and 10)."""
