"""FedNova (Wang et al. 2020, equations 6 and 7): each client's way is normalized by how far it could go."""

from __future__ import annotations

import numpy as np

from common.data.prepared import Indices
from common.extend.client import ClientAlgorithm, ClientUpdate, Stack


class FedNova(ClientAlgorithm):
    """A client counts for nᵢ / ‖aᵢ‖₁, so that what is added up is Σ nᵢ (θᵢ − θ) / ‖aᵢ‖₁ and Σ nᵢ / ‖aᵢ‖₁ θ.

    ‖aᵢ‖₁, times the learning rate, is the summed step size; for a client that took no step any number does.
    With decoupled weight decay it is that of the weights that decay.
    """

    def end(self, stack: Stack, steps: Indices) -> ClientUpdate:
        """What each client counts for, and its distance."""
        gone = self.context.summed_step_size(steps).double().cpu().numpy()
        weight = self.context.sizes / np.where(gone > 0, gone, 1.0)
        return ClientUpdate(metrics={"weight": weight, "distance": gone})
