"""FedDyn (Acar et al. 2021, algorithm 1): each client's loss is corrected so that clients agree where they end."""

from __future__ import annotations

from torch import Tensor

from common.data.prepared import Indices
from common.extend.client import ClientAlgorithm, ClientUpdate, Stack, as_state, clone, proximal_term
from common.stacks import Number

_GRADIENT = "gradient"


class FedDyn(ClientAlgorithm):
    """Minimizes Lₖ(θ) − ⟨gₖ, θ⟩ + (α/2)‖θ − θ_global‖²; then gₖ ← gₖ − α (θₖ − θ_global), the gradient at θₖ."""

    def begin(self, stack: Stack) -> None:
        """Add the gradient of what is added to the loss: −gₖ + α (θ − θ_global)."""
        self._start, self._own = clone(stack.parameters), self.context.kept_as(_GRADIENT, stack.parameters)
        hold = proximal_term(list(self._start.values()), self.options.alpha)

        def tilt(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
            for gradient, own in zip(gradients, self._own.values(), strict=True):
                gradient.sub_(own[:active])

        stack.before = [hold, tilt, *stack.before]

    def end(self, stack: Stack, steps: Indices) -> ClientUpdate:
        """The gradient at the client's new weights, by the condition of first order."""
        alpha = self.options.alpha
        new = {n: own - alpha * (stack.parameters[n] - self._start[n]) for n, own in self._own.items()}
        return ClientUpdate(state=as_state(_GRADIENT, new))
