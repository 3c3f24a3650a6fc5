"""What is made of tables: their kinds in `training.augmentation`."""

from __future__ import annotations

from common.scenario.augmentation.base import AugmentationPart
from common.scenario.base import key


class TableAugmentation(AugmentationPart):
    """One that changes rows of numbers."""


class FeatureNoise(TableAugmentation, name="feature_noise", runs="clients.augmentation.tables:feature_noise"):
    """Numbers: normal noise on every numeric column."""

    sigma: float = key(
        "The noise's standard deviation.", 0.1, unit="of the column's own over all clients' training rows", ge=0
    )


class FeatureDropout(TableAugmentation, name="feature_dropout", runs="clients.augmentation.tables:feature_dropout"):
    """Numbers: values that go missing, and are dealt with as `data.missing` says; else they become 0."""

    rate: float = key("How likely any one value goes missing.", 0.1, unit="fraction", ge=0, le=1)


class Interpolation(TableAugmentation, name="interpolation", runs="clients.augmentation.tables:interpolation"):
    """Numbers: a point between the row and another of its class at the same client (after Chawla et al. 2002)."""

    most: float = key(
        "How far towards the other row at most: 0 not at all, 1 all the way.", 0.5, unit="fraction", ge=0, le=1
    )
