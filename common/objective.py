"""What clients minimize: the scenario's loss of a network's outputs, or the loss that the network brings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from common import seeds
from common.losses import Loss
from common.models.layout import Weights
from common.models.network import Network, Step


@dataclass(frozen=True)
class Objective:
    """A network and its loss."""

    network: Network
    loss: Loss

    def means(
        self,
        weights: Weights,
        x: Tensor,
        y: Tensor,
        shares: Tensor,
        step: Step | None = None,
        keys: seeds.Streams | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Each network's mean over its batch, (stack,), and what its last hidden layer makes of x, if that is known.

        weights (stack, …), x (stack, examples, features), y and shares (stack, examples, …) and (stack, examples).
        Without a `step`, `keys` are what the network draws from for each example, (examples,).
        """
        if self.network.own_loss:
            return (self.network.losses_stack(weights, x, y, step, keys) * shares).sum(dim=1), None
        outputs, hidden = self.network.pass_stack(weights, x, step)
        return self.loss.mean(outputs, y, shares), hidden

    def counts(self, targets: Tensor) -> Tensor | None:
        """How much each example counts in a mean; None where all count alike."""
        return self.loss.counts(targets)

    def terms(
        self, weights: Weights, x: Tensor, y: Tensor, outputs: Tensor, keys: seeds.Streams
    ) -> list[dict[str, Tensor]]:
        """What is added up over examples to report the loss, for each model: by name, (examples,) each.

        Metrics of the network's own are among it. x (models, examples, features), `outputs` what each makes of it;
        `keys` are what a network draws from for each example, (examples,).
        """
        if not self.network.own_loss:
            return [self.loss.terms(of_one, y) for of_one in outputs]
        found = self.network.measures_stack(weights, x, y.expand(len(x), *y.shape), keys)
        if "objective" in found:
            found["weight"] = torch.ones_like(found["objective"])
        return [{name: values[model] for name, values in found.items()} for model in range(len(x))]
