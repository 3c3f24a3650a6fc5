"""SCAFFOLD (Karimireddy et al. 2020, algorithm 1): each client corrects its gradients by control variates."""

from __future__ import annotations

import torch

from common.data.prepared import Indices
from common.extend.client import (
    ClientAlgorithm,
    ClientUpdate,
    Stack,
    as_state,
    flatten,
    starting_weights,
    whole_network,
)
from common.models import Weights
from common.stacks import along

_CONTROL = "control"


class Scaffold(ClientAlgorithm):
    """g ← g − cᵢ + c in each step (line 10); then the new cᵢ (line 12).

    Option I: the gradient of the client's objective at the round's global weights x, over all its training examples.
    Option II: cᵢ − c + (x − yᵢ) / (K ηₗ), with the summed step size in place of K ηₗ, which is more than plain SGD's.
    What is added up beside the weights is each client's change of cᵢ.
    """

    def begin(self, stack: Stack) -> None:
        """Correct each gradient after all else that is done to it."""
        self._start = starting_weights(stack)
        self._own, self._all = self.context.kept_as(_CONTROL, stack.parameters), self.context.record(_CONTROL)
        self._gradients: Weights | None = None
        if self.options.takes_gradient(self.context.training.optimizer):
            self._gradients = self.context.objective_gradients(stack)
        stack.control = {name: self._all[name] - own for name, own in self._own.items()}

    def end(self, stack: Stack, steps: Indices) -> ClientUpdate:
        """The new control variates."""
        new = self._from_way(stack, steps) if self._gradients is None else self._gradients
        changes = {name: new[name] - own for name, own in self._own.items()}
        # What is not trained has control variates of 0.
        changes |= {name: torch.zeros_like(tensor) for name, tensor in stack.fixed.items()}
        parameters = [name for name in whole_network(stack) if name in changes]
        return ClientUpdate(
            state=as_state(_CONTROL, new),
            contributions={_CONTROL: flatten({name: changes[name] for name in parameters})},
        )

    def _from_way(self, stack: Stack, steps: Indices) -> Weights:
        """Option II, (x − yᵢ) / (K ηₗ) − (c − cᵢ); where no step was taken they stay."""
        assert stack.control is not None
        gone = self.context.summed_step_size(steps)
        stayed = gone == 0
        gone = gone.where(~stayed, 1)
        new = {}
        for name, own in self._own.items():
            moved = self._start[name] - stack.parameters[name]
            moved.div_(along(gone, len(gone), moved)).sub_(stack.control[name])
            moved[stayed] = own[stayed]
            new[name] = moved
        return new
