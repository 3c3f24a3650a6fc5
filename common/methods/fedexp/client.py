"""FedExP (Jhunjhunwala et al. 2023, algorithm 1): clients tell how far they went, nothing else."""

from __future__ import annotations

from common.data.prepared import Indices
from common.extend.client import ClientAlgorithm, ClientUpdate, Stack, clone, flatten


class FedExP(ClientAlgorithm):
    """Tells ‖Δᵢ‖², Δᵢ = θ − θᵢ."""

    def begin(self, stack: Stack) -> None:
        """Remember where the clients start."""
        self._start = clone(stack.parameters)

    def end(self, stack: Stack, steps: Indices) -> ClientUpdate:
        """The square of the way each client went."""
        ways = flatten({name: stack.parameters[name] - start for name, start in self._start.items()})
        return ClientUpdate(metrics={"squared_way": ways.double().square().sum(dim=1).cpu().numpy()})
