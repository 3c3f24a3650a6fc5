"""pFedMe (Dinh et al. 2020, algorithm 1): a client's local weights follow its own model, which is held near them."""

from __future__ import annotations

from common.data.prepared import Indices
from common.extend.client import ClientAlgorithm, ClientUpdate, Proximal, Stack, clone
from common.personal import as_kept


class PFedMe(ClientAlgorithm):
    """On each batch K steps towards θ = argmin F(θ) + (λ/2)‖θ − w‖² (line 7), then w ← w − ηλ (w − θ) (line 8).

    The steps start from the θ of the batch before, in a round's first batch from w, the global weights. θ is the
    client's own model, w is what is averaged.
    """

    def begin(self, stack: Stack) -> None:
        """Let what is trained be θ; w is what it is held near, and moves beside it."""
        stack.repeats = self.options.inner_steps
        self._local = clone(stack.parameters)
        strength = self.options.lambda_
        stack.proximal = Proximal(self._local, strength, follow=self.options.lr * strength)

    def end(self, stack: Stack, steps: Indices) -> ClientUpdate:
        """Keep θ, send w."""
        own = clone(stack.parameters | stack.buffers)
        for name, theta in stack.parameters.items():
            theta.copy_(self._local[name])
        return ClientUpdate(state=as_kept(own))
