"""A host's examples as tensors, gathered and transformed as agreed: what the network sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.data.data_spec import DataSpec
from common.data.median import medians
from common.data.moments import means
from common.data.prepared import Indices, Prepared
from common.data.text import Featurizer
from common.data.transform import Transform
from common.errors import RunError

ExampleChange = Callable[[Any], Any]
"""What becomes of raw examples, in the order asked for, before anything else is done with them: numbers
(examples, raw features) or a list of texts, to as many of the same."""


@dataclass(frozen=True)
class RawExamples:
    """Examples as they lie in the data, and how the network sees them: NaN filled, then (x − shift) / scale."""

    x: NDArray[Any]
    """(examples, features)."""
    fill: Tensor | None
    """What takes a gap's place where clients have nothing of their own; (features,) in float64, or None."""
    shift: Tensor | None
    scale: Tensor | None


class ExampleReader(Protocol):
    """Reads examples by their positions."""

    features: int
    """Numbers that the network sees of an example."""

    def inputs(self, positions: Tensor, fill: Tensor | None = None, change: ExampleChange | None = None) -> Tensor:
        """The features of the examples at `positions` (any shape of int64), shape (*positions.shape, features).

        `fill`, of shape (len(positions), raw features), are the values that take gaps' places in each `positions[i]`.
        """
        ...

    def targets(self, positions: Tensor) -> Tensor:
        """Label codes at `positions`, int64 of that shape, or scaled targets, shape (*positions.shape, targets)."""
        ...

    def terms(self, positions: Tensor) -> dict[str, Tensor]:
        """What metrics add up of the examples at `positions` (examples,) whatever the model, by name: (examples,)."""
        ...

    def fills(self, clients: Indices) -> Tensor | None:
        """What takes gaps' places in these clients' examples, (clients, raw features), where that is their own."""
        ...

    def raw(self) -> RawExamples | None:
        """The examples as they lie in the data, where the network sees number for number of them."""
        ...


@lru_cache(maxsize=8)
def open_examples(prepared: Prepared, data_spec: DataSpec, dtype: torch.dtype) -> ExampleReader:
    """The examples of a prepared folder, once for all who ask. Raises RunError where they are not as was agreed."""
    if data_spec.tokens is not None:
        from common.data.token_reader import TokenReader

        return TokenReader(prepared, data_spec, dtype)
    if data_spec.vocabulary is not None:
        return TextReader(prepared, data_spec, dtype)
    return NumericReader(prepared, data_spec, dtype)


class _Targets:
    """What all kinds of examples have in common."""

    def __init__(self, prepared: Prepared, data_spec: DataSpec, dtype: torch.dtype) -> None:
        self._y, self._dtype, self.features = torch.from_numpy(prepared.y), dtype, data_spec.features
        self._codes: Tensor | None = None
        if data_spec.labels:
            self._codes = _codes(prepared.meta.labels, data_spec.labels, "labels")
        self._target_shift = torch.tensor(data_spec.target_shift, dtype=torch.float64)
        self._target_scale = torch.tensor(data_spec.target_scale, dtype=torch.float64)

    def targets(self, positions: Tensor) -> Tensor:
        """Label codes at `positions`, int64 of that shape, or scaled targets, shape (*positions.shape, targets)."""
        y = self._y.index_select(0, positions.reshape(-1))
        if self._codes is not None:
            return self._codes[y].view(positions.shape)
        # Rounded last: an offset may be larger than what float32 can hold beside the differences.
        return ((y - self._target_shift) / self._target_scale).to(self._dtype).view(*positions.shape, -1)

    def terms(self, positions: Tensor) -> dict[str, Tensor]:
        """Nothing."""
        return {}


class NumericReader(_Targets):
    """Reads numeric examples: images, tables."""

    def __init__(self, prepared: Prepared, data_spec: DataSpec, dtype: torch.dtype) -> None:
        super().__init__(prepared, data_spec, dtype)
        self._prepared, self._x, self._agreement = prepared, torch.from_numpy(prepared.x), data_spec
        if self._x.shape[1] != len(data_spec.shift):
            raise RunError(
                f"examples have {self._x.shape[1]} features here, the federation agreed on {len(data_spec.shift)}"
            )
        self._transform = Transform(data_spec, dtype)
        self._recoded = [
            (index, _codes(mine.categories, agreed.categories, f"categories of {mine.name}"))
            for index, (mine, agreed) in enumerate(zip(prepared.meta.columns, data_spec.columns, strict=True))
            if mine.categories is not None and agreed.categories is not None and mine != agreed
        ]

    def inputs(self, positions: Tensor, fill: Tensor | None = None, change: ExampleChange | None = None) -> Tensor:
        """The features of the examples at `positions` (any shape of int64), shape (*positions.shape, features)."""
        x = self._x.index_select(0, positions.reshape(-1))
        if change is not None:
            x = change(x.to(self._transform.working(x.dtype)))
        x = x.view(*positions.shape, -1)
        for index, codes in self._recoded:
            known = ~x[..., index].isnan()
            x[..., index][known] = codes[x[..., index][known].long()].to(x.dtype)
        if fill is not None:
            fill = fill.view(len(fill), *[1] * (positions.dim() - 1), -1)
        transformed: Tensor = self._transform(x, fill)
        return transformed

    def fills(self, clients: Indices) -> Tensor | None:
        """Each client's own column means or medians over its training examples; NaN where it has no number at all."""
        if not self._agreement.own_fill:
            return None
        examples = (self._prepared.x[self._prepared.training_examples(client)] for client in clients.tolist())
        middle = medians if self._prepared.meta.filling == "median" else means
        return torch.from_numpy(np.stack([middle(own.astype(np.float64)) for own in examples]))

    def raw(self) -> RawExamples | None:
        """The examples as they lie in the data, where the network sees number for number of them."""
        if self._recoded or not self._transform.by_number:
            return None
        return RawExamples(self._prepared.x, *self._transform.parts())


class TextReader(_Targets):
    """Reads texts, turned into numbers by the agreed vocabulary."""

    def __init__(self, prepared: Prepared, data_spec: DataSpec, dtype: torch.dtype) -> None:
        super().__init__(prepared, data_spec, dtype)
        assert data_spec.vocabulary is not None
        self.featurizer = Featurizer(data_spec.vocabulary)
        self.texts = prepared.texts
        self._features = self.featurizer.cached(prepared)

    def inputs(self, positions: Tensor, fill: Tensor | None = None, change: ExampleChange | None = None) -> Tensor:
        """The features of the examples at `positions` (any shape of int64), shape (*positions.shape, features)."""
        places = positions.reshape(-1).numpy()
        found = self._features[places].toarray()
        if change is not None:
            before = [self.texts[place] for place in places.tolist()]
            after = change(before)
            # Most texts are as they were, and their features known.
            changed = [at for at, (old, new) in enumerate(zip(before, after, strict=True)) if new != old]
            if changed:
                found[changed] = self.featurizer.features([after[at] for at in changed]).toarray()
        return torch.from_numpy(found).to(self._dtype).view(*positions.shape, -1)

    def fills(self, clients: Indices) -> Tensor | None:
        """Texts have no gaps."""
        return None

    def raw(self) -> RawExamples | None:
        """Texts are no numbers."""
        return None


def _codes(mine: object, agreed: object, what: str) -> Tensor:
    """Where each of a host's labels or categories stands in the agreed ones."""
    assert isinstance(mine, list | tuple)
    assert isinstance(agreed, list | tuple)
    places = {str(name): code for code, name in enumerate(agreed)}
    unknown = [name for name in mine if str(name) not in places]
    if unknown:
        raise RunError(f"the federation did not agree on the {what} {unknown}, which are among the examples here")
    return torch.tensor([places[str(name)] for name in mine])
