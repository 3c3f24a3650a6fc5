"""MOON (Li, He, Song 2021, algorithm 1): what a client's network makes of examples is drawn to the global network's."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, softplus

from common.data.prepared import Indices
from common.extend.client import Batch, ClientAlgorithm, ClientUpdate, Stack, as_state, clone, whole_network

_PREVIOUS = "previous"


class Moon(ClientAlgorithm):
    """ℓ = ℓ_sup + μ ℓ_con, ℓ_con = −log(e^{sim(z, z_glob)/τ} / (e^{sim(z, z_glob)/τ} + e^{sim(z, z_prev)/τ})).

    z is what the last hidden layer makes of an example, in place of the paper's projection head; z_glob and z_prev are
    made by the global network and by the client's of its last round, both as in use, without dropout. A client in
    its first round has the global network for its previous one, so that ℓ_con pulls nowhere.
    """

    def begin(self, stack: Stack) -> None:
        """Add the term, given the networks that do not learn."""
        start = clone(whole_network(stack))
        kept, fresh = self.context.kept_as(_PREVIOUS, start), self.context.fresh
        previous = {
            name: origin.where(fresh.view(-1, *[1] * (origin.dim() - 1)), kept[name]) for name, origin in start.items()
        }
        mu: float = self.options.mu
        temperature: float = self.options.temperature
        network = stack.network

        def term(batch: Batch, x: Tensor, hidden: Tensor | None) -> Tensor:
            assert hidden is not None, "moon trains networks with features"
            with torch.no_grad():
                theirs, before = (
                    network.hidden_stack({name: tensor[: batch.active] for name, tensor in weights.items()}, x)
                    for weights in (start, previous)
                )
            near, far = (cosine_similarity(hidden, other, dim=2) for other in (theirs, before))
            # −log(eᵃ / (eᵃ + eᵇ)) = log(1 + e^{b − a})
            contrast: Tensor = (softplus((far - near) / temperature) * batch.shares).sum(dim=1)
            return mu * contrast

        stack.term = term

    def end(self, stack: Stack, steps: Indices) -> ClientUpdate:
        """The client's network, to be the previous one of its next round."""
        return ClientUpdate(state=as_state(_PREVIOUS, whole_network(stack)))
