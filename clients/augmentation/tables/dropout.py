"""Values that go missing."""

from __future__ import annotations

import torch
from torch import Tensor

from clients.augmentation.draws import lanes
from clients.augmentation.tables.columns import Columns
from common.data.prepared import Indices
from common.scenario.augmentation.tables import FeatureDropout
from common.seeds import Streams


def feature_dropout(spec: FeatureDropout, x: Tensor, keys: Streams, columns: Columns, rows: Indices) -> Tensor:
    """Each value goes with chance `rate`, to within 1/65,536."""
    gone = torch.from_numpy(lanes(keys, x.shape[1]) < round(spec.rate * 65536))
    return torch.where(gone, columns.dropped.to(x.dtype), x)
