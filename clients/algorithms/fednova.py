"""FedNova (Wang et al. 2020, equations 6 and 7): each client's way is normalized by how far it could go."""

from __future__ import annotations

import numpy as np

from clients.algorithms.base import Algorithm, Ended
from clients.algorithms.distance import Distance
from clients.training.trainer import Stack
from common.data.prepared import Indices


class FedNova(Algorithm):
    """A client counts for nᵢ / ‖aᵢ‖₁, so that what is added up is Σ nᵢ (θᵢ − θ) / ‖aᵢ‖₁ and Σ nᵢ / ‖aᵢ‖₁ θ.

    ‖aᵢ‖₁, times the learning rate, is the `Distance`; for a client that took no step any number does. With decoupled
    weight decay it is that of the weights that decay.
    """

    def begin(self, stack: Stack) -> None:
        """Measure the distance along the way."""
        self._distance = Distance(stack, self.given)

    def end(self, stack: Stack, steps: Indices) -> Ended:
        """What each client counts for, and its distance."""
        gone = self._distance.each().double().numpy()
        weight = self.given.sizes / np.where(gone > 0, gone, 1.0)
        return Ended(metrics={"weight": weight, "distance": gone})
