"""Normal noise on numeric columns."""

from __future__ import annotations

from torch import Tensor

from clients.augmentation.draws import normals
from clients.augmentation.tables.columns import Columns
from common.data.prepared import Indices
from common.scenario.augmentation.tables import FeatureNoise
from common.seeds import Streams


def feature_noise(spec: FeatureNoise, x: Tensor, keys: Streams, columns: Columns, rows: Indices) -> Tensor:
    """x + sigma·s·z, s the column's standard deviation, z standard normal; a gap stays one."""
    z = normals(keys, x.shape[1]).to(x.dtype)
    return x.addcmul_(z, (spec.sigma * columns.spread).to(x.dtype))
