"""What clients would see of their examples in training: the very draws of a run's first rounds."""

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
    """An example as it is, and as its client would see it in a round."""

    position: int
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

    def seen(self, client: int, positions: Indices, rounds: int) -> list[AugmentedExample]:
        """Some of a client's training examples in its first epoch of the first rounds, if it is selected in them."""
        columns = [self._in_round(client, positions, number) for number in range(1, rounds + 1)]
        return [
            AugmentedExample(position, before, list(after))
            for position, before, after in zip(
                positions.tolist(), self._raw(positions), zip(*columns, strict=True), strict=True
            )
        ]

    def _in_round(self, client: int, positions: Indices, number: int) -> list[Any]:
        """The examples as they are seen in the first epoch of a round."""
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
            for position, key in zip(batch.positions[0].tolist(), own.tolist(), strict=True):
                # An example that comes again is padding.
                found.setdefault(position, key)
        chosen = np.array([found[position] for position in positions.tolist()], dtype=np.uint64)
        raw, change = self._raw(positions), self._pipeline.change(chosen, positions)
        return change(raw) if isinstance(raw, list) else list(change(torch.from_numpy(raw)).numpy())

    def _raw(self, positions: Indices) -> Any:
        if self._prepared.meta.text is not None:
            return [self._prepared.texts[position] for position in positions.tolist()]
        return self._prepared.x[positions].astype(np.float64)


def _spread(prepared: Prepared) -> np.ndarray:
    """The standard deviation of each raw feature over all clients' training examples."""
    positions = np.concatenate([prepared.training_examples(client) for client in prepared.clients.tolist()])
    return Moments.of(prepared.x[positions].astype(np.float64)).deviation(constant=0.0)
