"""pFedMe (Dinh et al. 2020, algorithm 1): a client's local weights follow its own model, which is held near them."""

from __future__ import annotations

from torch import Tensor

from common.data.prepared import Indices
from common.extend.client import ClientAlgorithm, ClientUpdate, Stack, as_state, clone, proximal_term
from common.personal import as_kept
from common.stacks import Number


class PFedMe(ClientAlgorithm):
    """On each batch K steps towards θ = argmin F(θ) + (λ/2)‖θ − w‖² (line 7), then w ← w − ηλ (w − θ) (line 8).

    The steps start from the θ of the batch before, in a round's first batch from w, the global weights. θ is the
    client's own model, w is what is averaged.
    """

    def begin(self, stack: Stack) -> None:
        """Let what is trained be θ; w moves beside it."""
        stack.repeats = self.options.inner_steps
        stack.tally = as_state("local", clone(stack.parameters))
        local = list(stack.tally.values())
        part, taken = self.options.lr * self.options.lambda_, 0

        def follow(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
            nonlocal taken
            taken += 1
            if taken % stack.repeats == 0:
                for w, theta in zip(local, weights, strict=True):
                    w[:active].lerp_(theta.detach(), part)

        stack.before = [proximal_term(local, self.options.lambda_), *stack.before]
        stack.after = [*stack.after, follow]

    def end(self, stack: Stack, steps: Indices) -> ClientUpdate:
        """Keep θ, send w."""
        own = clone(stack.parameters | stack.buffers)
        for name, theta in stack.parameters.items():
            theta.copy_(stack.tally[f"local.{name}"])
        return ClientUpdate(state=as_kept(own))
