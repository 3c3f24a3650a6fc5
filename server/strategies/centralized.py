"""Centralized training, for comparison: the round's clients train as one, `clients.training.pooled`."""

from __future__ import annotations

from server.strategies.fedavg import FedAvg


class Centralized(FedAvg):
    """The global weights are those of the one pooled client, of which all clients make one block."""
