"""What a federation agrees on before round 1, from sums and never from examples: labels, categories, scaling, words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.data.table import Column, read_column
from common.data.tokens import TokenWindows
from common.tasks import Label, Task

Numbers = NDArray[np.float64]
"""One number per raw feature, shape (features,)."""

_ARRAYS = ("shift", "scale", "fill", "target_shift", "target_scale", "spread", "label_counts")


class TermRule(NamedTuple):
    """What counts as a term of a text."""

    ngrams: tuple[int, int]
    """The shortest and longest run of units."""
    lowercase: bool
    """Whether case is ignored."""
    unit: str = "words"
    """words or characters."""

    @property
    def options(self) -> dict[str, Any]:
        """The same as options of scikit-learn's vectorizers."""
        analyzer = {"words": "word", "characters": "char"}[self.unit]
        return {"ngram_range": self.ngrams, "lowercase": self.lowercase, "analyzer": analyzer}


@dataclass(frozen=True)
class Vocabulary:
    """How texts become numbers: the settings, and the terms that were agreed on."""

    features: str
    """bag, tfidf or hashed."""
    width: int
    """How many features a text has."""
    rule: TermRule
    terms: tuple[str, ...] = ()
    """What each feature counts; empty for hashed features."""
    weights: tuple[float, ...] = ()
    """The inverse document frequency of each term, for tfidf."""


@dataclass(frozen=True, eq=False)
class DataSpec:
    """How raw examples become what the network sees, the same for every client and the server."""

    task: Task
    row_shape: tuple[int, ...]
    labels: tuple[Label, ...]
    """The classes that exist anywhere in the federation, sorted; empty for a regression."""
    columns: tuple[Column, ...]
    """The raw features, categories as agreed; empty where they have no names, as pixels have none."""
    shift: Numbers
    """Subtracted from a raw feature."""
    scale: Numbers
    """Divides what remains."""
    fill: Numbers
    """What takes a missing value's place; NaN where nothing does."""
    own_fill: bool
    """Whether a client's own mean or median takes a missing value's place, where it has one."""
    indicators: tuple[int, ...]
    """The raw features that get a further feature: 1 where a value is missing, else 0."""
    target_shift: Numbers
    """Subtracted from a regression's raw target, shape (targets,)."""
    target_scale: Numbers
    """Divides what remains, shape (targets,)."""
    vocabulary: Vocabulary | None = None
    """How texts become numbers; None where examples are numbers already."""
    tokens: TokenWindows | None = None
    """What is seen of documents at each of their tokens, the labels; None where examples are other ones."""
    spread: Numbers = field(default_factory=lambda: np.empty(0))
    """The standard deviation of a raw feature, 0 for a constant one; empty where no augmentation goes by it."""
    unit_range: bool = False
    """Whether all numbers that the network sees lie between 0 and 1, as those of images do."""
    label_counts: Numbers = field(default_factory=lambda: np.empty(0))
    """Training examples of each label over all clients, (classes,); empty where no loss goes by them."""

    @property
    def features(self) -> int:
        """Numbers that the network sees of an example: its input width."""
        if self.vocabulary is not None:
            return self.vocabulary.width
        if self.tokens is not None:
            return self.tokens.context + len(self.columns) - 1
        extra = sum(len(column.categories) - 1 for column in self.columns if column.categories is not None)
        return len(self.shift) + extra + len(self.indicators)

    @property
    def outputs(self) -> int:
        """The network's output width: classes, numbers in a target or, where examples are learned, in an example.

        Of sequences, tokens and the unknown one.
        """
        if self.tokens is not None:
            return len(self.labels) + 1
        if self.task == "generation":
            return self.features
        return len(self.labels) if self.task == "classification" else len(self.target_shift)

    def arrays(self) -> dict[str, Numbers]:
        """The numbers in it."""
        return {name: getattr(self, name) for name in _ARRAYS}

    def words(self) -> dict[str, Any]:
        """Everything else in it, as JSON has it."""
        return {
            "task": self.task,
            "row_shape": self.row_shape,
            "labels": self.labels,
            "columns": [asdict(column) for column in self.columns],
            "own_fill": self.own_fill,
            "indicators": self.indicators,
            "unit_range": self.unit_range,
            "vocabulary": None if self.vocabulary is None else asdict(self.vocabulary),
            "tokens": None if self.tokens is None else asdict(self.tokens),
        }

    @classmethod
    def of(cls, words: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> DataSpec:
        """An agreement from its two halves."""
        rest = dict(words)
        vocabulary = rest.pop("vocabulary")
        if vocabulary is not None:
            ngrams, *rest_of_rule = vocabulary["rule"]
            terms, weights = tuple(vocabulary["terms"]), tuple(vocabulary["weights"])
            rest["vocabulary"] = Vocabulary(
                vocabulary["features"], vocabulary["width"], TermRule(tuple(ngrams), *rest_of_rule), terms, weights
            )
        tokens = rest.pop("tokens", None)
        rest["tokens"] = None if tokens is None else TokenWindows(**tokens)
        rest["columns"] = tuple(read_column(column) for column in rest["columns"])
        for name in ("row_shape", "labels", "indicators"):
            rest[name] = tuple(rest[name])
        numbers: dict[str, Any] = {name: np.asarray(arrays[name], dtype=np.float64) for name in _ARRAYS}
        data_spec = cls(**rest, **numbers)
        data_spec.check()
        return data_spec

    def check(self) -> None:
        """Raise ValueError where the parts do not go together."""
        features = math.prod(self.row_shape) if self.vocabulary is None else 0
        shapes = {"shift": features, "scale": features, "fill": features}
        shapes["target_shift"] = shapes["target_scale"] = len(self.target_shift)
        for name, length in shapes.items():
            array = getattr(self, name)
            if array.shape != (length,):
                raise ValueError(f"{name} has the shape {array.shape}, expected ({length},)")
            if name != "fill" and not np.isfinite(array).all():
                raise ValueError(f"{name} has numbers that are infinite or not a number (NaN)")
        if not (self.scale.all() and self.target_scale.all()):
            raise ValueError("a scale is 0")
        if self.columns and len(self.columns) != features:
            raise ValueError(f"{len(self.columns)} columns for {features} features")
        if any(not 0 <= column < features for column in self.indicators):
            raise ValueError(f"indicators of other columns than 0 to {features - 1}")
        if self.task == "classification" and not self.labels:
            raise ValueError("a classification without classes")


def describe_task(task: Task, labels: Sequence[Label], targets: int, tokens: bool = False) -> str:
    """What is learned: `a classification of 3 classes`, `a regression of 1 target`, `generation of 784 numbers`.

    With `tokens` the labels are those of documents: `the next of 66 tokens`.
    """
    if tokens:
        return f"the next of {len(labels)} tokens"
    if task == "generation":
        return f"generation of {targets} number{'s' * (targets != 1)} an example"
    if task == "classification":
        return f"a classification of {len(labels)} class{'es' * (len(labels) != 1)}"
    return f"a regression of {targets} target{'s' * (targets != 1)}"


def sorted_labels(labels: Iterable[Label]) -> tuple[Label, ...]:
    """Labels in order, each once; whole numbers by size, and by their text once any label is text."""
    every = set(labels)
    if all(isinstance(label, int) for label in every):
        return tuple(sorted(every, key=lambda label: (int(label), str(label))))
    return tuple(sorted({str(label) for label in every}))


def sorted_columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    """Columns with the categories of each in order."""
    return tuple(
        column if column.categories is None else replace(column, categories=tuple(sorted(column.categories)))
        for column in columns
    )
