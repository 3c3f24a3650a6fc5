"""FedDyn (Acar et al. 2021, algorithm 1): each client's loss is corrected so that clients agree where they end."""

from __future__ import annotations

import torch

from common.data.prepared import Indices
from common.extend.client import ClientAlgorithm, ClientUpdate, Proximal, Stack, as_state, starting_weights

_GRADIENT = "gradient"


class FedDyn(ClientAlgorithm):
    """Minimizes Lₖ(θ) − ⟨gₖ, θ⟩ + (α/2)‖θ − θ_global‖²; then gₖ ← gₖ − α (θₖ − θ_global), the gradient at θₖ.

    Up to a constant the two terms are (α/2)‖θ − (θ_global + gₖ/α)‖².
    """

    def begin(self, stack: Stack) -> None:
        """Hold each client near θ_global + gₖ/α."""
        self._start, self._own = starting_weights(stack), self.context.kept_as(_GRADIENT, stack.parameters)
        alpha = self.options.alpha
        origin = {name: torch.add(start, self._own[name], alpha=1 / alpha) for name, start in self._start.items()}
        stack.proximal = Proximal(origin, alpha)

    def end(self, stack: Stack, steps: Indices) -> ClientUpdate:
        """The gradient at the client's new weights, by the condition of first order."""
        alpha = self.options.alpha
        new = {n: torch.sub(own, stack.parameters[n] - self._start[n], alpha=alpha) for n, own in self._own.items()}
        return ClientUpdate(state=as_state(_GRADIENT, new))
