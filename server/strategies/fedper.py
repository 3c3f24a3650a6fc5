"""FedPer (Arivazhagan et al. 2019, algorithms 1 and 2): FedAvg of the base layers; the others stay with clients."""

from __future__ import annotations

from server.strategies.fedavg import FedAvg


class FedPer(FedAvg):
    """W_B ← Σ nₖ W_B,ₖ / Σ nₖ (algorithm 1, line 6).

    The personal layers W_P,ₖ are in no sum: `common.scenario.strategies.FedPer.personal` names them, and clients
    keep them (algorithm 2). The paper starts them at random; here all clients start them alike.
    """
