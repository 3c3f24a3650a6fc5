"""Tables: `TABLES` maps kinds to functions that change rows of numbers.

A new augmentation of tables is one file here, one line in `TABLES` and one class in `common.scenario.augmentation`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from clients.augmentation.tables.columns import Columns
from clients.augmentation.tables.dropout import feature_dropout
from clients.augmentation.tables.noise import feature_noise
from common.seeds import Streams

__all__ = ["TABLES", "Columns"]

TABLES: dict[str, Callable[[Any, Tensor, Streams, Columns], Tensor]] = {
    "feature_noise": feature_noise,
    "feature_dropout": feature_dropout,
}
