"""IFCA (Ghosh et al. 2020, algorithm 1): a client trains the global model that fits its examples best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from common.data.prepared import Indices
from common.devices import to_device_of
from common.extend.client import ClientAlgorithm, ClientUpdate, Stack, flatten, whole_network
from common.models import Weights


class IFCA(ClientAlgorithm):
    """ĵ = argminⱼ F(θⱼ), the cluster identity estimate; the client trains θ_ĵ and tells ĵ (option II, averaging)."""

    def begin(self, stack: Stack) -> None:
        """Choose, and start from what was chosen; of equals the first is taken."""
        first = {name: tensor[:1].clone() for name, tensor in whole_network(stack).items()}
        others = [self.context.record(f"cluster.{j}") for j in range(1, self.options.clusters)]
        models = {name: torch.cat([one, *(other[name] for other in others)]) for name, one in first.items()}
        self._chosen = _least(self.context.training_losses(models))
        for name, tensor in whole_network(stack).items():
            tensor.copy_(models[name][to_device_of(torch.from_numpy(self._chosen), tensor)])

    def end(self, stack: Stack, steps: Indices) -> ClientUpdate:
        """Add the weights to those of the cluster alone."""
        flat = flatten(whole_network(stack))
        chosen = to_device_of(torch.from_numpy(self._chosen), flat).unsqueeze(1)
        sums = {f"cluster.{j}": flat * (chosen == j) for j in range(self.options.clusters)}
        return ClientUpdate(contributions=sums, metrics={"cluster": self._chosen.astype(np.float64)})

    @staticmethod
    def own_model(models: Weights, own: Weights, training_losses: Callable[[], NDArray[np.float64]]) -> Weights:
        """The cluster's: of the candidates, which come after the global model, the one with the least loss."""
        if len(next(iter(models.values()))) == 1:
            return models
        chosen = 1 + int(_least(training_losses()[1:]))
        return {name: tensor[chosen : chosen + 1] for name, tensor in models.items()}


def _least(losses: NDArray[np.float64]) -> Indices:
    """The place of the least along the last axis; what is not a number is never the least."""
    least: Indices = np.argmin(np.nan_to_num(losses, nan=np.inf), axis=-1)
    return least
