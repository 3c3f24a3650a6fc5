"""What clients would see of their rows in training: the very draws of a run's first rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from clients.augmentation import Pipeline
from clients.batches import batches
from clients.training.inputs import example_keys
from common import seeds
from common.data import Prepared
from common.data.augmentable import needs_spread
from common.data.moments import Moments
from common.data.prepared import Indices
from common.scenario import Scenario


@dataclass(frozen=True)
class AugmentedExample:
    """A row as it is, and as its client would see it in a round."""

    row: int
    before: Any
    """A text, or raw numbers (raw features,)."""
    after: list[Any]
    """The same in round 1, 2, …"""


class AugmentedData:
    """A scenario's augmentation of prepared data."""

    def __init__(self, scenario: Scenario, prepared: Prepared) -> None:
        self._scenario, self._prepared = scenario, prepared
        augmentation = scenario.training.augmentation
        spread = _spread(prepared) if needs_spread(augmentation) else np.empty(0)
        self._pipeline = Pipeline(augmentation, prepared.meta, spread, prepared)

    def seen(self, client: int, rows: Indices, rounds: int) -> list[AugmentedExample]:
        """Some of a client's training examples in its first epoch of the first rounds, if it is selected in them."""
        columns = [self._in_round(client, rows, number) for number in range(1, rounds + 1)]
        return [
            AugmentedExample(row, before, list(after))
            for row, before, after in zip(rows.tolist(), self._raw(rows), zip(*columns, strict=True), strict=True)
        ]

    def _in_round(self, client: int, rows: Indices, number: int) -> list[Any]:
        """The rows as they are seen in the first epoch of a round."""
        training, seed, ids = self._scenario.training, self._scenario.seed, np.array([client])
        steps = batches(
            [self._prepared.training_examples(client)],
            training.model_copy(update={"epochs": 1, "steps": None}),
            seeds.streams(seed, "batches", number, ids),
            torch.float64,
        )
        keys = seeds.streams(seed, "augmentation", number, ids)
        found: dict[int, int] = {}
        for step, batch in enumerate(steps):
            own = example_keys(keys, step, 1, batch.positions.shape[1])[0, 0]
            for row, key in zip(batch.positions[0].tolist(), own.tolist(), strict=True):
                # A row that comes again is padding.
                found.setdefault(row, key)
        chosen = np.array([found[row] for row in rows.tolist()], dtype=np.uint64)
        raw, change = self._raw(rows), self._pipeline.change(chosen, rows)
        return change(raw) if isinstance(raw, list) else list(change(torch.from_numpy(raw)).numpy())

    def _raw(self, rows: Indices) -> Any:
        if self._prepared.meta.text is not None:
            return [self._prepared.texts[row] for row in rows.tolist()]
        return self._prepared.x[rows].astype(np.float64)


def _spread(prepared: Prepared) -> np.ndarray:
    """The standard deviation of each raw feature over all clients' training examples."""
    rows = np.concatenate([prepared.training_examples(client) for client in prepared.clients.tolist()])
    return Moments.of(prepared.x[rows].astype(np.float64)).deviation(constant=0.0)
