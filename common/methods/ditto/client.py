"""Ditto (Li et al. 2021, algorithm 1): beside the global model each client trains its own, held near the global one."""

from __future__ import annotations

from common.data.prepared import Indices
from common.extend.client import ClientAlgorithm, ClientUpdate, Proximal, Stack, clone, whole_network
from common.models import Weights
from common.personal import as_kept, own_arrays


class Ditto(ClientAlgorithm):
    """v ← v − η (∇F(v) + λ (v − θ_global)) on the round's batches (line 6); v⁰ is the first global model it gets.

    The optimizer takes the place of the step with η; it starts afresh in every round.
    """

    def begin(self, stack: Stack) -> None:
        """Remember the global weights."""
        self._global = clone(whole_network(stack))

    def end(self, stack: Stack, steps: Indices) -> ClientUpdate:
        """Train the clients' own models, in turn."""
        local, names = self.context.local, list(stack.parameters)
        personal = local.ready(self._own(), names)
        personal.proximal = Proximal({name: self._global[name] for name in names}, self.options.lambda_)
        local.train(personal)
        return ClientUpdate(state=as_kept(personal.parameters | personal.buffers))

    def _own(self) -> Weights:
        """What each client's own model is before the round."""
        own = clone(self._global)
        kept, old = own_arrays(self.context.kept), ~self.context.fresh
        for name, tensor in kept.items():
            own[name][old] = tensor[old]
        return own
