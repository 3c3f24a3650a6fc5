"""Images: `GEOMETRY` maps kinds to where pixels come from, `PIXELS` to what becomes of their values.

A new augmentation of images is one function here, one line in a registry and one class in
`common.scenario.augmentation.images`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from clients.augmentation.images import geometry
from clients.augmentation.images.affine import Maps
from clients.augmentation.images.blur import blur
from clients.augmentation.images.color import color_jitter
from clients.augmentation.images.erasing import erasing
from clients.augmentation.images.light import brightness, contrast
from clients.augmentation.images.noise import noise
from clients.augmentation.images.pixels import Drawn

GEOMETRY: dict[str, Callable[[Any, NDArray[np.float64], int, int], Maps]] = {
    "rotation": geometry.rotation,
    "shift": geometry.shift,
    "crop": geometry.crop,
    "flip": geometry.flip,
    "scale": geometry.scale,
    "shear": geometry.shear,
}

PIXELS: dict[str, Callable[[Any, Tensor, Drawn], Tensor]] = {
    "brightness": brightness,
    "contrast": contrast,
    "color_jitter": color_jitter,
    "noise": noise,
    "blur": blur,
    "erasing": erasing,
}
