"""What training makes of a client's rows before it sees them: one class for each `training.augmentation[].kind`.

Augmentation acts on raw values, before gaps are filled and columns are scaled.
"""

from __future__ import annotations

from typing import Annotated

from common.scenario.augmentation.base import AUGMENTATIONS, AugmentationPart
from common.scenario.augmentation.images import ImageAugmentation
from common.scenario.augmentation.tables import TableAugmentation
from common.scenario.augmentation.texts import TextAugmentation

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "AugmentationPart",
    "ImageAugmentation",
    "TableAugmentation",
    "TextAugmentation",
]

Augmentation = Annotated[AugmentationPart, AUGMENTATIONS]
