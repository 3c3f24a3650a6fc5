"""Points between two rows of a class at one client (after SMOTE, Chawla et al. 2002, section 4.2)."""

from __future__ import annotations

import torch
from torch import Tensor

from clients.augmentation.tables.columns import Columns
from common import seeds
from common.data.prepared import Indices
from common.scenario.augmentation.tables import Interpolation


def interpolation(spec: Interpolation, x: Tensor, keys: seeds.Streams, columns: Columns, rows: Indices) -> Tensor:
    """x + u·(x′ − x), u between 0 and `most`; x′ is any row of the class, where SMOTE takes one of the nearest.

    Of categories, the nearer row's is taken; a gap stays one, and towards a gap a number stays as it is.
    """
    assert columns.kin is not None
    u = seeds.uniforms(keys, 2)
    other = columns.kin.of(rows, u[:, 0]).to(x.dtype)
    share = torch.from_numpy(u[:, 1:] * spec.most).to(x.dtype)
    between = torch.where(columns.categories, torch.where(share < 0.5, x, other), torch.lerp(x, other, share))
    return torch.where(other.isnan(), x, between)
