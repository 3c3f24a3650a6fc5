"""One client's examples, for a skew to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.images import image_shape
from common.data.table import Table
from common.errors import InputError


@dataclass(frozen=True)
class ClientExamples:
    """A client's examples."""

    client: int
    clients: int
    """How many clients there are."""
    seed: int
    x: NDArray[Any]
    """Raw features, (examples, features)."""
    y: NDArray[Any]
    """Label codes or targets."""
    table: Table
    """The table they are from."""

    def images(self) -> NDArray[np.float32]:
        """The examples as images: (examples, channels, height, width). Raises InputError where they are no images."""
        shape = image_shape(self.table.row_shape)
        if shape is None:
            raise InputError(
                f"this skew is for images; examples here have the shape {tuple(self.table.row_shape)}", "data.skew"
            )
        x = self.x.astype(np.float32)
        if shape.channels_last:
            return x.reshape(-1, shape.height, shape.width, shape.channels).transpose(0, 3, 1, 2)
        return x.reshape(-1, shape.channels, shape.height, shape.width)

    def flattened(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """Images as flat examples again, in their own number type, bytes cut off at 0 and 255."""
        shape = image_shape(self.table.row_shape)
        if shape is not None and shape.channels_last:
            images = images.transpose(0, 2, 3, 1)
        return self.cast(images.reshape(len(self.x), -1))

    def cast(self, examples: NDArray[Any]) -> NDArray[Any]:
        """Examples in their own number type; integers are rounded and cut off at their limits."""
        kind = self.table.x.dtype
        if kind.kind in "iu":
            limits = np.iinfo(kind)
            examples = np.clip(np.rint(examples), limits.min, limits.max)
        return examples.astype(kind)
