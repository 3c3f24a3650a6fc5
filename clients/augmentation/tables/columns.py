"""What augmentations need to know of a table's columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.augmentation.tables.same_class import SameClassExamples
from common.data.prepared import Meta


@dataclass(frozen=True)
class Columns:
    """The raw features of a table."""

    spread: Tensor
    """Each one's standard deviation, float64; empty where no augmentation goes by it."""
    dropped: Tensor
    """What a value becomes that goes missing: NaN where something takes its place later, else 0; float64."""
    categories: Tensor
    """Which hold codes of categories."""
    kin: SameClassExamples | None
    """Rows of the same class and client; None where no augmentation goes by them."""

    @classmethod
    def of(cls, meta: Meta, spread: NDArray[np.float64], kin: SameClassExamples | None) -> Columns:
        """The columns of prepared rows."""
        width = int(np.prod(meta.row_shape))
        categories = torch.zeros(width, dtype=torch.bool)
        for place, column in enumerate(meta.columns):
            categories[place] = column.categories is not None
        # A category that is missing is none of the known ones.
        gap = categories if meta.filling == "none" else torch.ones_like(categories)
        dropped = torch.zeros(width, dtype=torch.float64).masked_fill(gap, torch.nan)
        return cls(torch.tensor(spread), dropped, categories, kin)
