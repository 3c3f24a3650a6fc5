"""Measuring models on examples: one model or a stack of them, in large batches."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common import seeds
from common.data.data_spec import DataSpec
from common.data.examples import ExampleReader
from common.losses import loss_for
from common.metrics import Examples, MeasuredMetrics, Sums
from common.models import DTYPES, Weights, stateless
from common.objective import Objective
from common.settings import ClientSettings


class Evaluator:
    """Measures models of a scenario."""

    def __init__(self, settings: ClientSettings, data_spec: DataSpec) -> None:
        self._agreement, self._settings = data_spec, settings
        self._network = stateless(settings.model, data_spec)
        self.size = sum(parameter.numel() for parameter in self._network.parameters())
        """How many parameters a model has."""
        self.dtype = DTYPES[settings.model.dtype]
        loss = loss_for(settings.training.loss, self._network.output, data_spec, self.dtype)
        self._objective = Objective(self._network, loss)
        self._generates = data_spec.task == "generation"
        self.metrics = MeasuredMetrics(data_spec.task, settings.evaluation, self._network.own_metrics)
        """What is measured."""

    @torch.inference_mode()
    def sums(
        self,
        weights: Weights,
        examples: ExampleReader,
        positions: NDArray[np.int64],
        sizes: NDArray[np.int64],
        fills: Tensor | None = None,
        owners: NDArray[np.int64] | None = None,
    ) -> list[Sums]:
        """Sums over groups of examples, for each model: weights (models, …) → a list of models' sums.

        `positions` holds the groups' examples one after the other, `sizes` how many each group has. Every model
        sees all examples, some at a time. `fills` is what takes the place of gaps in each group's examples. `owners`
        are the clients whose examples the groups are, (groups,); None for the server's: what a network draws for an
        example follows from the seed, its owner and its place among the owner's.
        """
        groups = np.repeat(np.arange(len(sizes)), sizes)
        models, size = len(next(iter(weights.values()))), self._settings.evaluation.batch_size
        results: list[Sums] = [{} for _ in range(models)]
        seen: list[tuple[Tensor, Tensor]] = []
        owners = np.full(len(sizes), -1) if owners is None else owners
        streams, firsts = seeds.streams(self._settings.seed, "evaluation", 0, owners), np.cumsum(sizes) - sizes
        for start in range(0, len(positions), size) or [0]:
            chosen, part = torch.from_numpy(positions[start : start + size]), groups[start : start + size]
            x, y = (
                examples.inputs(chosen, None if fills is None else fills[torch.from_numpy(part)]),
                examples.targets(chosen),
            )
            for_each = x.expand(models, *x.shape)
            keys = seeds.nth(streams[part], np.arange(start, start + len(part)) - firsts[part])
            outputs = for_each if self._generates else self._network.forward_stack(weights, for_each)
            terms = self._objective.terms(weights, for_each, y, outputs, keys)
            whatever = examples.terms(chosen)
            for model, sums in enumerate(results):
                found = self.metrics.group_sums(
                    self._examples(outputs[model], y, terms[model] | whatever), part, len(sizes)
                )
                for name, value in found.items():
                    sums[name] = sums[name] + value if name in sums else value
            if self.metrics.compares:
                seen.append((outputs, y))
        if self.metrics.compares:
            z, y = torch.cat([outputs for outputs, _ in seen], dim=1), torch.cat([targets for _, targets in seen])
            for model, sums in enumerate(results):
                sums |= self.metrics.compared_sums(self._examples(z[model], y, {}), groups, len(sizes))
        return results

    def _examples(self, z: Tensor, targets: Tensor, terms: dict[str, Tensor]) -> Examples:
        return Examples(z, targets, terms, self._network.output, self._agreement.target_scale)
