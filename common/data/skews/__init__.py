"""The skews: for each `data.skew` a function that changes one client's rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.skews.owned import Owned

SkewRule = Callable[[Any, Owned, np.random.Generator], tuple[NDArray[Any], NDArray[Any]]]
"""(spec, a client's rows, the client's generator) → its rows and targets after the change."""
