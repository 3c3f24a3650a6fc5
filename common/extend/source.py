"""A source of data that a function gives as arrays."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from common.data.arrays import KNOWN, table_of
from common.data.sources.files import digest, existing_file
from common.data.table import Table
from common.errors import InputError


class ArraySource:
    """Reads examples by `arrays`. What it gives is prepared once and cached.

    With `seeded` the examples follow from the options and the seed. Else, where `files` names files, they are read
    again when these change; where it names none, `arrays` is called for every run, and its result decides.
    """

    seeded: ClassVar[bool] = False

    @staticmethod
    @abstractmethod
    def arrays(spec: Any, seed: int) -> Mapping[str, Any]:
        """`x_train` (examples, …) and `y_train`; where there are some `x_test`, `y_test` and `client`.

        `y` are labels, whole numbers or texts, or a regression's numbers; `client` says whose each training example is,
        for `partition: natural`.
        """

    @staticmethod
    def files(spec: Any) -> Iterable[str | Path]:
        """The files that decide what `arrays` gives."""
        return ()

    @classmethod
    def fingerprint(cls, spec: Any) -> str:
        """A text that changes when the content changes."""
        if cls.seeded:
            return str(spec.part_name)
        if files := [existing_file(str(file), "data.source") for file in cls.files(spec)]:
            return digest(files)
        arrays = cls._arrays(spec, 0)
        found = hashlib.blake2b(digest_size=16)
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            found.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
        return found.hexdigest()

    @classmethod
    def read(cls, spec: Any, seed: int) -> Table:
        """The whole table."""
        return table_of(cls._arrays(spec, seed), spec.part_name, getattr(spec, "task", "auto"))

    @classmethod
    def _arrays(cls, spec: Any, seed: int) -> dict[str, NDArray[Any]]:
        arrays = {name: np.asarray(array) for name, array in cls.arrays(spec, seed).items()}
        for name in arrays:
            if name not in KNOWN:
                raise InputError(f"{spec.part_name}: {name}: expected one of {', '.join(KNOWN)}", "data.source")
        return arrays


class DatasetSource(ArraySource):
    """Reads examples from map-style datasets, such as those of `torch.utils.data`; else it is an ArraySource."""

    @staticmethod
    @abstractmethod
    def datasets(spec: Any, seed: int) -> Mapping[str, Any]:
        """`train`, a dataset or for each client by name a dataset of its own, and where there is one `test`.

        A dataset has a length, and at each index a pair of x, numbers of one shape or a picture, and y, as in `arrays`.
        """

    @classmethod
    def arrays(cls, spec: Any, seed: int) -> dict[str, NDArray[Any]]:
        """The datasets' pairs as arrays."""
        found = dict(cls.datasets(spec, seed))
        if "train" not in found or not found.keys() <= {"train", "test"}:
            raise InputError(f"{spec.part_name}: expected train and, if you like, test; found {', '.join(found)}")
        arrays: dict[str, NDArray[Any]] = {}
        train = found["train"]
        if isinstance(train, Mapping):
            parts = [_pairs(own, f"{spec.part_name}: train {client}") for client, own in train.items()]
            arrays["x_train"], arrays["y_train"] = map(np.concatenate, zip(*parts, strict=True))
            arrays["client"] = np.repeat([str(client) for client in train], [len(y) for _, y in parts])
        else:
            arrays["x_train"], arrays["y_train"] = _pairs(train, f"{spec.part_name}: train")
        if "test" in found:
            arrays["x_test"], arrays["y_test"] = _pairs(found["test"], f"{spec.part_name}: test")
        return arrays


def _pairs(dataset: Any, where: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """x and y of a dataset, stacked. Raises InputError for items that are no pairs, or of several shapes."""
    try:
        items = [dataset[index] for index in range(len(dataset))]
        x, y = ([np.asarray(part) for part in parts] for parts in zip(*items, strict=True))
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: expected a map-style dataset of (x, y) pairs ({error})", "data.source") from None
    for index, array in enumerate(x):
        if array.shape != x[0].shape:
            raise InputError(
                f"{where}: item {index} has x of shape {array.shape}, the first {x[0].shape}", "data.source"
            )
    return np.stack(x), np.stack(y)
