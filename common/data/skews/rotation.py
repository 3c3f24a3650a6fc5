"""Images turned by an angle of the client's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.skews.owned import ClientExamples
from common.scenario.base import key
from common.scenario.skews import SkewPart


class RotationSkew(SkewPart, name="rotation", runs=":change"):
    """Every client's images are turned by an angle of its own (feature skew)."""

    degrees: float = key("A client's angle is drawn between minus and plus this.", 45.0, unit="degrees", gt=0, le=180)


def change(
    spec: RotationSkew, examples: ClientExamples, draw: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Turn about the middle, with bilinear interpolation; what comes in from outside is 0."""
    import torch
    import torch.nn.functional as F

    angle = math.radians(draw.uniform(-spec.degrees, spec.degrees))
    images = torch.from_numpy(np.ascontiguousarray(examples.images()))
    height, width = images.shape[2:]
    cos, sin = math.cos(angle), math.sin(angle)
    turn = torch.tensor([[cos, -sin * height / width, 0.0], [sin * width / height, cos, 0.0]])
    grid = F.affine_grid(turn.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    turned = F.grid_sample(images, grid, align_corners=False)
    return examples.flattened(turned.numpy()), examples.y
