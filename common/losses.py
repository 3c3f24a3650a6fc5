"""What training minimizes, and its mean over batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.data.data_spec import DataSpec
from common.devices import CPU, to_device
from common.models.outputs import Output
from common.scenario.losses import LOSSES, CrossEntropy
from common.scenario.losses import LossPart as Spec
from common.scenario.objective import check_objective, loss_name

if TYPE_CHECKING:
    from common.scenario.losses import PerExample


@dataclass(frozen=True)
class Loss:
    """A loss for outputs and targets of the shapes that a task has."""

    per_example: PerExample
    """Each example's part of the training objective: label smoothing and the weight of its class are in it."""
    class_weights: Tensor | None = None
    """How much examples of each class count, (classes,); None where all count alike."""
    plain: PerExample | None = None
    """The loss without label smoothing and class weights; None where that is `per_example`."""
    cross_entropy: bool = False
    """Whether it is −log softmax(z)[y] and nothing else, whose derivative is known."""

    def counts(self, targets: Tensor) -> Tensor | None:
        """How much each example counts, in the shape of class codes `targets`; None where all count alike."""
        return None if self.class_weights is None else self.class_weights[targets]

    def terms(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """What is added up over examples to report the loss and the objective, by name: (examples,) each.

        `loss` is the plain loss. Where the training objective is another one there are `objective` and `weight`, how
        much each example counts in its mean.
        """
        if self.plain is None:
            return {"loss": self.per_example(outputs, targets)}
        objective, counts = self.per_example(outputs, targets), self.counts(targets)
        weight = torch.ones_like(objective) if counts is None else counts
        return {"loss": self.plain(outputs, targets), "objective": objective, "weight": weight}

    def mean(self, outputs: Tensor, targets: Tensor, shares: Tensor) -> Tensor:
        """Each network's mean over its batch, (stack,): shares (stack, examples) add up to 1, padding has 0."""
        losses = (self.per_example(outputs, targets) * shares).sum(dim=-1)
        counts = self.counts(targets)
        return losses if counts is None else losses / (counts * shares).sum(dim=-1)

    def mean_and_gradient(
        self, z: Tensor, read: Callable[[Tensor], Tensor], targets: Tensor, shares: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The same for z (stack, examples, width), of which `read` makes outputs; and its derivatives by z."""
        if not self.cross_entropy:
            leaf = z.detach().requires_grad_()
            losses = self.mean(read(leaf), targets, shares)
            return losses.detach(), torch.autograd.grad(losses.sum(), leaf)[0]
        logs, own = torch.log_softmax(z, dim=-1), targets.unsqueeze(-1)
        losses = -(logs.gather(-1, own).squeeze(-1) * shares).sum(dim=-1)
        # Σ −s log softmax(z)[y] has the derivatives s (softmax(z) − 1[y]).
        by = logs.exp_().mul_(shares.unsqueeze(-1))
        return losses, by.scatter_add_(-1, own, -shares.unsqueeze(-1))


def loss_for(spec: Spec, output: Output, data_spec: DataSpec, dtype: torch.dtype, device: torch.device = CPU) -> Loss:
    """The loss of a scenario, for outputs on a device.

    Raises InputError where loss, output, task or labels do not fit.
    """
    check_objective(spec, output.kind, output.task, data_spec.labels)
    name = loss_name(spec, output.kind, output.task)
    chosen = type(spec) if spec.name == name else LOSSES.parts[name]
    # What `auto` stands for has its options at their defaults, and so has the plain loss beside an altered objective.
    resolved = spec if isinstance(spec, chosen) else chosen()
    weights = _class_weights(getattr(resolved, "class_weights", None), data_spec, dtype)
    weights = None if weights is None else to_device(weights, device)
    altered = weights is not None or getattr(resolved, "label_smoothing", 0.0) > 0
    plain = chosen().per_example(output, None) if altered else None
    known = type(resolved) is CrossEntropy and not altered
    return Loss(resolved.per_example(output, weights), weights, plain, known)


def _class_weights(
    given: dict[str, float] | Literal["balanced"] | None, data_spec: DataSpec, dtype: torch.dtype
) -> Tensor | None:
    if not given:
        return None
    if given == "balanced":
        return torch.tensor(balanced(data_spec.label_counts), dtype=dtype)
    return torch.tensor([given.get(str(label), 1.0) for label in data_spec.labels], dtype=dtype)


def balanced(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ counts / (labels · count), (classes,), as scikit-learn balances; a label without an example is none of them."""
    there = counts > 0
    return np.where(there, counts.sum() / (there.sum() * np.where(there, counts, 1.0)), 1.0)
