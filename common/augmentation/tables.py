"""Tables: rows of numbers with noise, with values left out, or between others."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from common import seeds
from common.draws import lanes, normals
from common.scenario.augmentation import TableAugmentation
from common.scenario.base import key

if TYPE_CHECKING:
    # Reading options does without PyTorch.
    from torch import Tensor

    from common.scenario.augmentation import Columns
    from common.seeds import Streams


class FeatureNoise(TableAugmentation, name="feature_noise"):
    """Numbers: normal noise on every numeric column."""

    needs_spread: ClassVar[bool] = True

    sigma: float = key(
        "The noise's standard deviation.", 0.1, unit="of the column's own over all clients' training examples", ge=0
    )

    def change(self, x: Tensor, keys: Streams, columns: Columns, examples: NDArray[np.int64]) -> Tensor:
        """x + sigma·s·z, s the column's standard deviation, z standard normal; a gap stays one."""
        z = normals(keys, x.shape[1]).to(x.dtype)
        return x.addcmul_(z, (self.sigma * columns.spread).to(x.dtype))


class FeatureDropout(TableAugmentation, name="feature_dropout"):
    """Numbers: values that go missing, and are dealt with as `data.missing` says; else they become 0."""

    rate: float = key("How likely any one value goes missing.", 0.1, unit="fraction", ge=0, le=1)

    def change(self, x: Tensor, keys: Streams, columns: Columns, examples: NDArray[np.int64]) -> Tensor:
        """Each value goes with chance `rate`, to within 1/65,536."""
        import torch

        gone = torch.from_numpy(lanes(keys, x.shape[1]) < round(self.rate * 65536))
        return torch.where(gone, columns.dropped.to(x.dtype), x)


class Interpolation(TableAugmentation, name="interpolation"):
    """Numbers: a point between the example and another of its class at the same client (after Chawla et al. 2002)."""

    needs_classes: ClassVar[bool] = True

    most: float = key(
        "How far towards the other example at most: 0 not at all, 1 all the way.", 0.5, unit="fraction", ge=0, le=1
    )

    def change(self, x: Tensor, keys: Streams, columns: Columns, examples: NDArray[np.int64]) -> Tensor:
        """x + u·(x′ − x), u between 0 and `most`; x′ is any example of the class, where SMOTE takes one of the nearest.

        After SMOTE (Chawla et al. 2002, section 4.2).

        Of categories, the nearer one's is taken; a gap stays one, and towards a gap a number stays as it is.
        """
        import torch

        u = seeds.uniforms(keys, 2)
        other = columns.of_same_class(examples, u[:, 0]).to(x.dtype)
        share = torch.from_numpy(u[:, 1:] * self.most).to(x.dtype)
        between = torch.where(columns.categories, torch.where(share < 0.5, x, other), torch.lerp(x, other, share))
        return torch.where(other.isnan(), x, between)
