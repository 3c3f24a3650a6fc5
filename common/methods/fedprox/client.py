"""FedProx (Li et al. 2020, algorithm 2): each client's loss has (μ/2)‖θ − θ_global‖² added."""

from __future__ import annotations

from common.extend.client import ClientAlgorithm, Proximal, Stack, starting_weights


class FedProx(ClientAlgorithm):
    """g ← g + μ (θ − θ_global) before each step."""

    def begin(self, stack: Stack) -> None:
        """Hold the clients near where they start: the global weights."""
        stack.proximal = Proximal(starting_weights(stack), self.options.mu)
