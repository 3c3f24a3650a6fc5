"""What all augmentations have in common."""

from __future__ import annotations

from typing import ClassVar

from common.scenario.base import Part, key
from common.scenario.registry import Family

AUGMENTATIONS: Family[AugmentationPart] = Family("augmentations", "kind")


class AugmentationPart(Part):
    """A step of augmentation."""

    family: ClassVar[Family[AugmentationPart]] = AUGMENTATIONS

    kind: str = ""
    probability: float = key(
        "How likely a row is changed, each time it is trained on.", 0.5, unit="fraction", ge=0, le=1
    )
