"""FedRep (Collins et al. 2021, algorithm 1): the mean of the clients' common layers; heads stay with the clients."""

from __future__ import annotations

from server.strategies.fedavg import FedAvg


class FedRep(FedAvg):
    """φ ← (1/rn) Σ φᵢ over the rn clients of the round (server update).

    How clients train φ and their heads is their half, `clients.algorithms.fedrep`; the global model's head stays
    as it began.
    """
