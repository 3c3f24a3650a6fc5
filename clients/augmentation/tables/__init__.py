"""Tables: `TABLES` maps kinds to functions that change rows of numbers.

A new augmentation of tables is one file here, one line in `TABLES` and one class
in `common.scenario.augmentation.tables`.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from clients.augmentation.tables.columns import Columns
from clients.augmentation.tables.dropout import feature_dropout
from clients.augmentation.tables.interpolation import interpolation
from clients.augmentation.tables.noise import feature_noise

__all__ = ["TABLES", "Columns"]

TABLES: dict[str, Callable[..., Tensor]] = {
    "feature_noise": feature_noise,
    "feature_dropout": feature_dropout,
    "interpolation": interpolation,
}
"""(spec, rows, their streams, the columns, the rows' positions in the data) → the rows as they are seen."""
