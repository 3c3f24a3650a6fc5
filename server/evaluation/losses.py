"""The training objective of weights on clients' own training examples, by which some rules select and aggregate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common import messages
from common.arrays import NamedArrays
from common.data.prepared import Indices
from common.metrics import mean_objective
from server.evaluation.scores import ask_scores
from server.exchange.run_context import RunContext


@dataclass(frozen=True)
class Losses:
    """The training objective of clients with the weights they were asked about; NaN for those that did not answer."""

    mean: NDArray[np.float64]
    """Each one's mean, (clients,)."""
    root_mean_square: NDArray[np.float64]
    """The root of the mean of its examples' squares, (clients,)."""


class TrainingLosses:
    """Asks clients for the objective on their training examples; they tell sums."""

    def __init__(self, context: RunContext) -> None:
        self._run = context

    def __call__(self, weights: NamedArrays, positions: Indices) -> Losses:
        """The losses of the clients at `positions` of the federation; `weights` are parameters and buffers."""
        one = {name: array[None] for name, array in weights.items()}
        shared = messages.evaluate_records(self._run.settings_text, self._run.data_spec, one, split="training")
        mean, square = np.full((2, len(positions)), np.nan)
        blocks, examples = (
            self._run.federation.cut(positions, self._run.blocks),
            self._run.federation.training_sizes[positions],
        )
        for answered, (sums,) in ask_scores(
            self._run.exchange, shared, blocks, 1, examples, self._run.evaluator.metrics
        ):
            places = np.concatenate([block.places for block in answered])
            with np.errstate(divide="ignore", invalid="ignore"):
                mean[places] = mean_objective(sums)
                square[places] = sums["objective_squared"] / sums["examples"]
        return Losses(mean, np.sqrt(square))
