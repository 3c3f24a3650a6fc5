"""FedExP (Jhunjhunwala et al. 2023, algorithm 1): clients tell how far they went, nothing else."""

from __future__ import annotations

from clients.algorithms.base import Algorithm, Ended, copied, flattened
from clients.training.trainer import Stack
from common.data.prepared import Indices


class FedExP(Algorithm):
    """Tells ‖Δᵢ‖², Δᵢ = θ − θᵢ."""

    def begin(self, stack: Stack) -> None:
        """Remember where the clients start."""
        self._start = copied(stack.parameters)

    def end(self, stack: Stack, steps: Indices) -> Ended:
        """The square of the way each client went."""
        ways = flattened({name: stack.parameters[name] - start for name, start in self._start.items()})
        return Ended(metrics={"squared_way": ways.double().square().sum(dim=1).numpy()})
