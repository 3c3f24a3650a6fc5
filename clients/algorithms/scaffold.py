"""SCAFFOLD (Karimireddy et al. 2020, algorithm 1): each client corrects its gradients by control variates."""

from __future__ import annotations

from torch import Tensor

from clients.algorithms.base import Algorithm, Ended, copied, flattened, to_keep
from clients.algorithms.distance import Distance
from clients.training.gradients import objective_gradients
from clients.training.trainer import Stack
from clients.training.values import Number, along
from common.data.prepared import Indices
from common.models import Weights

_CONTROL = "control"


class Scaffold(Algorithm):
    """g ← g − cᵢ + c in each step (line 10); then the new cᵢ (line 12).

    Option I: the gradient of the client's objective at the round's global weights x, over all its training examples.
    Option II: cᵢ − c + (x − yᵢ) / (K ηₗ), with the `Distance` in place of K ηₗ, which is more than plain SGD's. What is
    added up beside the weights is each client's change of cᵢ.
    """

    def begin(self, stack: Stack) -> None:
        """Correct each gradient after all else that is done to it."""
        self._start = copied(stack.parameters)
        self._own, self._all = self.given.kept_as(_CONTROL, stack.parameters), self.given.record(_CONTROL)
        self._gradients: Weights | None = None
        if self.options.takes_gradient(self.given.values["optimizer"]):
            self._gradients = objective_gradients(stack, self.given.course.everything(), self.given.values)
        else:
            self._distance = Distance(stack, self.given)
        corrections = [self._all[name] - own for name, own in self._own.items()]

        def correct(active: int, weights: list[Tensor], gradients: list[Tensor], lr: Number) -> None:
            for gradient, correction in zip(gradients, corrections, strict=True):
                gradient.add_(correction[:active])

        stack.before = [*stack.before, correct]

    def end(self, stack: Stack, steps: Indices) -> Ended:
        """The new control variates."""
        new = self._from_way(stack) if self._gradients is None else self._gradients
        changes = flattened({name: new[name] - own for name, own in self._own.items()})
        return Ended(state=to_keep(_CONTROL, new), contributions={_CONTROL: changes})

    def _from_way(self, stack: Stack) -> Weights:
        """Option II; where no step was taken they stay."""
        gone = self._distance.each()
        stayed = gone == 0
        gone = gone.where(~stayed, 1)
        new = {}
        for name, own in self._own.items():
            way = self._start[name] - stack.parameters[name]
            moved = own - self._all[name] + way / along(gone, len(gone), way)
            new[name] = own.where(stayed.view(-1, *[1] * (own.dim() - 1)), moved)
        return new
