"""FedRep (Collins et al. 2021, algorithm 1): a client fits its own head first, and then the common layers to it."""

from __future__ import annotations

from common.extend.client import ClientAlgorithm, Stack


class FedRep(ClientAlgorithm):
    """h ← GRD(f(h, φ), h) for τ epochs with φ fixed, then φ ← GRD(f(h, φ), φ) with h fixed (client updates).

    The second is the round's own training, as many epochs or steps of it as the scenario says.
    """

    def parameters_to_train(self, parameters: list[str]) -> list[str]:
        """φ: what clients do not keep to themselves."""
        head = self.options.personal(parameters)
        return [name for name in parameters if name not in head]

    def begin(self, stack: Stack) -> None:
        """Train the heads, which the round's own training leaves as they are then."""
        local = self.context.local.warm_up(self.options.head_epochs)
        first = local.ready(stack.parameters | stack.fixed | stack.buffers, list(stack.fixed))
        local.train(first)
        for name, buffer in first.buffers.items():
            stack.buffers[name].copy_(buffer)
