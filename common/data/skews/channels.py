"""Images made lighter or darker, channel by channel, by amounts of the client's own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.skews.owned import ClientExamples
from common.scenario.base import key
from common.scenario.skews import SkewPart


class ChannelSkew(SkewPart, name="channel_shift", runs=":change"):
    """Every client's images are lighter or darker, channel by channel, by amounts of its own (feature skew)."""

    amount: float = key(
        "A client's shifts are drawn between minus and plus this.",
        0.2,
        unit="of 255 for bytes, else as is",
        gt=0,
        le=1e9,
    )


def change(spec: ChannelSkew, examples: ClientExamples, draw: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Add a constant, drawn between −amount and amount, to every channel."""
    images = examples.images()
    unit = 255.0 if examples.table.x.dtype == np.uint8 else 1.0
    shifts = np.asarray(draw.uniform(-spec.amount, spec.amount, images.shape[1]) * unit, dtype=np.float32)
    return examples.flattened(images + shifts[None, :, None, None]), examples.y
