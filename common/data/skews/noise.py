"""Normal noise on the features, more from client to client."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.skews.owned import ClientExamples
from common.errors import InputError
from common.scenario.base import key
from common.scenario.skews import SkewPart


class NoiseSkew(SkewPart, name="noise", runs=":change"):
    """Client i of N has normal noise of sigma·i/N on its features (Li et al. 2022, noise-based imbalance)."""

    sigma: float = key("The last client's noise.", 0.1, unit="of 255 for bytes, else of a column's deviation", gt=0)


def change(spec: NoiseSkew, examples: ClientExamples, draw: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """x + sigma·(i/N)·unit·z: the unit is 255 for bytes, else the column's deviation in the whole table."""
    if any(column.categories is not None for column in examples.table.columns) or examples.table.texts is not None:
        raise InputError("noise is for numbers; these examples have texts or categories", "data.skew")
    kind = examples.table.x.dtype
    unit = 255.0 if kind == np.uint8 else np.nan_to_num(np.nanstd(examples.table.x.astype(np.float64), axis=0))
    level = spec.sigma * (examples.client + 1) / examples.clients
    return examples.cast(examples.x + level * unit * draw.standard_normal(examples.x.shape)), examples.y
