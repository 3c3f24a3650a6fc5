"""FedProx (Li et al. 2020, algorithm 2): each client's loss has (μ/2)‖θ − θ_global‖² added."""

from __future__ import annotations

from common.extend.client import ClientAlgorithm, Stack, proximal_term


class FedProx(ClientAlgorithm):
    """g ← g + μ (θ − θ_global) before each step."""

    def begin(self, stack: Stack) -> None:
        """Remember where the clients start: at the global weights."""
        start = [tensor.clone() for tensor in stack.parameters.values()]
        stack.before = [proximal_term(start, self.options.mu), *stack.before]
