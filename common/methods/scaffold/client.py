"""SCAFFOLD (Karimireddy et al. 2020, algorithm 1): each client corrects its gradients by control variates."""

from __future__ import annotations

from torch import Tensor

from common.data.prepared import Indices
from common.extend.client import ClientAlgorithm, ClientUpdate, Stack, as_state, clone, flatten
from common.models import Weights
from common.stacks import Number, along

_CONTROL = "control"


class Scaffold(ClientAlgorithm):
    """g ← g − cᵢ + c in each step (line 10); then the new cᵢ (line 12).

    Option I: the gradient of the client's objective at the round's global weights x, over all its training examples.
    Option II: cᵢ − c + (x − yᵢ) / (K ηₗ), with the summed step size in place of K ηₗ, which is more than plain SGD's.
    What is added up beside the weights is each client's change of cᵢ.
    """

    def begin(self, stack: Stack) -> None:
        """Correct each gradient after all else that is done to it."""
        self._start = clone(stack.parameters)
        self._own, self._all = self.context.kept_as(_CONTROL, stack.parameters), self.context.record(_CONTROL)
        self._gradients: Weights | None = None
        if self.options.takes_gradient(self.context.training.optimizer):
            self._gradients = self.context.objective_gradients(stack)
        else:
            self._moved = self.context.summed_step_size(stack)
        corrections = [self._all[name] - own for name, own in self._own.items()]

        def correct(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
            for gradient, correction in zip(gradients, corrections, strict=True):
                gradient.add_(correction[:active])

        stack.before = [*stack.before, correct]

    def end(self, stack: Stack, steps: Indices) -> ClientUpdate:
        """The new control variates."""
        new = self._from_way(stack) if self._gradients is None else self._gradients
        changes = flatten({name: new[name] - own for name, own in self._own.items()})
        return ClientUpdate(state=as_state(_CONTROL, new), contributions={_CONTROL: changes})

    def _from_way(self, stack: Stack) -> Weights:
        """Option II; where no step was taken they stay."""
        gone = self._moved.each()
        stayed = gone == 0
        gone = gone.where(~stayed, 1)
        new = {}
        for name, own in self._own.items():
            way = self._start[name] - stack.parameters[name]
            moved = own - self._all[name] + way / along(gone, len(gone), way)
            new[name] = own.where(stayed.view(-1, *[1] * (own.dim() - 1)), moved)
        return new
