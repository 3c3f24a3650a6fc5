"""The skews: for each `data.skew` a function that changes one client's examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.skews.owned import ClientExamples

SkewRule = Callable[[Any, ClientExamples, np.random.Generator], tuple[NDArray[Any], NDArray[Any]]]
"""(spec, a client's examples, the client's generator) → its examples and targets after the change."""
