"""What is made of tables: their kinds in `training.augmentation`."""

from __future__ import annotations

from typing import Literal

from common.scenario.augmentation.probability import probability
from common.scenario.base import Part, key


class FeatureNoise(Part):
    """Numbers: normal noise on every numeric column."""

    kind: Literal["feature_noise"] = key("Noisy columns.", "feature_noise")
    probability: float = probability()
    sigma: float = key(
        "The noise's standard deviation.", 0.1, unit="of the column's own over all clients' training rows", ge=0
    )


class FeatureDropout(Part):
    """Numbers: values that go missing, and are dealt with as `data.missing` says; else they become 0."""

    kind: Literal["feature_dropout"] = key("Values that go missing.", "feature_dropout")
    probability: float = probability()
    rate: float = key("How likely any one value goes missing.", 0.1, unit="fraction", ge=0, le=1)


class Interpolation(Part):
    """Numbers: a point between the row and another of its class at the same client (after Chawla et al. 2002)."""

    kind: Literal["interpolation"] = key("Points between rows of a class.", "interpolation")
    probability: float = probability()
    most: float = key(
        "How far towards the other row at most: 0 not at all, 1 all the way.", 0.5, unit="fraction", ge=0, le=1
    )


Table = FeatureNoise | FeatureDropout | Interpolation
