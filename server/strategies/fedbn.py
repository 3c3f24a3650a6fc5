"""FedBN (Li et al. 2021, algorithm 1): FedAvg of all but batch normalization, which stays with the clients."""

from __future__ import annotations

from server.strategies.fedavg import FedAvg


class FedBN(FedAvg):
    """θ_l ← (1/K) Σ θ_l,ₖ for every layer l that is no batch normalization (the last line).

    Batch normalizations are in no sum: `common.scenario.strategies.FedBN.personal` names them, and clients keep
    theirs, parameters and running statistics. Those of the global model stay as they began.
    """
