"""The data sets that come with scikit-learn."""

from __future__ import annotations

from importlib.metadata import version
from typing import Literal

import numpy as np

from common.data.labels import encode
from common.data.table import Column, Table
from common.scenario.base import key
from common.scenario.sources import SourcePart


class SklearnSource(SourcePart, name="sklearn", runs="common.data.sources.sklearn"):
    """A small data set that comes with scikit-learn; needs no download."""

    name: Literal["digits", "breast_cancer", "wine", "iris", "diabetes"] = key(
        "Which one: four classifications and diabetes, a regression.", "digits"
    )


seeded = False


def fingerprint(spec: SklearnSource) -> str:
    """The name and scikit-learn's version: the rows come with the package."""
    return f"{spec.name} of scikit-learn {version('scikit-learn')}"


def read(spec: SklearnSource, seed: int) -> Table:
    """The whole data set; diabetes is a regression, the others are classifications."""
    from sklearn import datasets

    loader = getattr(datasets, f"load_{spec.name}")
    # Diabetes comes scaled; the raw columns keep their units, so that every table is treated alike.
    bunch = loader(scaled=False) if spec.name == "diabetes" else loader()
    x = np.ascontiguousarray(bunch.data, dtype=np.float64)
    columns = [Column(str(name)) for name in bunch.feature_names]
    shape = tuple(bunch.images.shape[1:]) if "images" in bunch else (x.shape[1],)
    if spec.name == "diabetes":
        targets = np.asarray(bunch.target, dtype=np.float64).reshape(-1, 1)
        return Table(x, targets, "regression", row_shape=shape, columns=columns, tabular=True)
    codes, _ = encode(bunch.target)
    labels = [name if isinstance(name, int) else str(name) for name in bunch.target_names.tolist()]
    return Table(x, codes, "classification", labels, row_shape=shape, columns=columns, tabular=True)
