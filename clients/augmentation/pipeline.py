"""A scenario's augmentations, one after the other, on any number of examples at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from clients.augmentation.chosen import PlacedAugmentation, change_some
from clients.augmentation.images import Images
from clients.augmentation.tables import SameClassExamples, TableColumns
from common import seeds
from common.data.examples import ExampleChange
from common.data.images import image_shape
from common.data.prepared import Indices, Meta, Prepared
from common.draws import TextRandom
from common.scenario.augmentation import Augmentation, TableAugmentation


class Pipeline:
    """Augmentations that fit the examples they are for, which `common.data.augmentable` checks."""

    def __init__(
        self,
        augmentation: Sequence[Augmentation],
        meta: Meta,
        spread: NDArray[np.float64],
        prepared: Prepared | None = None,
    ) -> None:
        """`spread` has the raw features' deviations, `prepared` the examples, where an augmentation needs them."""
        self._texts = meta.text is not None
        self._stages: list[Images | PlacedAugmentation] = []
        self._meta, self._spread, self._prepared = meta, spread, prepared
        self._by_class = any(isinstance(spec, TableAugmentation) and spec.needs_classes for spec in augmentation)
        placed = [PlacedAugmentation(place, spec) for place, spec in enumerate(augmentation)]
        for tabular, group in groupby(placed, lambda one: isinstance(one.spec, TableAugmentation) or self._texts):
            shape = image_shape(meta.row_shape)
            if tabular or shape is None:
                self._stages += group
            else:
                self._stages.append(Images(list(group), shape, meta.white))

    @cached_property
    def _columns(self) -> TableColumns:
        prepared = self._prepared if self._by_class else None
        same_class = None if prepared is None else SameClassExamples(prepared)
        return TableColumns.of(self._meta, self._spread, same_class)

    def __bool__(self) -> bool:
        return bool(self._stages)

    def change(self, keys: seeds.Streams, positions: Indices | None = None) -> ExampleChange:
        """What the pipeline makes of examples, each drawing from its own stream; `positions` are theirs in the data."""
        places = np.zeros(len(keys), np.int64) if positions is None else positions

        def changed(examples: Any) -> Any:
            return self._changed_texts(examples, keys) if self._texts else self._changed_numbers(examples, keys, places)

        return changed

    def _changed_numbers(self, x: Tensor, keys: seeds.Streams, places: Indices) -> Tensor:
        """Examples (examples, raw features), which may be changed in place."""
        for stage in self._stages:
            if isinstance(stage, Images):
                x = stage(x, keys)
            else:
                hit, own = stage.chosen(keys)
                change = partial(stage.spec.change, keys=own, columns=self._columns, examples=places[hit])
                x = change_some(x, hit, change)
        return x

    def _changed_texts(self, texts: list[str], keys: seeds.Streams) -> list[str]:
        texts = list(texts)
        for stage in self._stages:
            assert isinstance(stage, PlacedAugmentation)
            hit, own = stage.chosen(keys)
            for at, key in zip(hit.tolist(), own.tolist(), strict=True):
                texts[at] = stage.spec.change(texts[at], TextRandom(key))
        return texts
