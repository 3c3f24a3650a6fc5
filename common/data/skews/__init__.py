"""The skews: `SKEWS` maps each `data.skew[].kind` to the function that changes one client's rows.

A new skew is one file here, one line in `SKEWS` and one class in `common.scenario.skews`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.skews import channels, labels, noise, rotation
from common.data.skews.owned import Owned

Change = Callable[[Any, Owned, np.random.Generator], tuple[NDArray[Any], NDArray[Any]]]
"""(spec, a client's rows, the client's generator) → its rows and targets after the change."""

SKEWS: dict[str, Change] = {
    "rotation": rotation.change,
    "noise": noise.change,
    "channel_shift": channels.change,
    "label_permutation": labels.change,
}

__all__ = ["SKEWS", "Owned"]
