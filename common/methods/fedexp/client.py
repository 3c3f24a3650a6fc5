"""FedExP (Jhunjhunwala et al. 2023, algorithm 1): clients tell how far they went, nothing else."""

from __future__ import annotations

import torch

from common.data.prepared import Indices
from common.extend.client import ClientAlgorithm, ClientUpdate, Stack, starting_weights


class FedExP(ClientAlgorithm):
    """Tells ‖Δᵢ‖², Δᵢ = θ − θᵢ."""

    def begin(self, stack: Stack) -> None:
        """Remember where the clients start."""
        self._start = starting_weights(stack)

    def end(self, stack: Stack, steps: Indices) -> ClientUpdate:
        """The square of the way each client went."""
        ways = [(stack.parameters[name] - start).flatten(1) for name, start in self._start.items()]
        norms = torch.stack([torch.linalg.vector_norm(way, dim=1, dtype=torch.float64) for way in ways])
        return ClientUpdate(metrics={"squared_way": norms.square().sum(dim=0).cpu().numpy()})
