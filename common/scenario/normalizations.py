"""What normalizes a hidden layer before its activation: one class for each `model.normalization.name`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from common.scenario.base import Part, key
from common.scenario.registry import Family

NORMALIZATIONS: Family[NormalizationPart] = Family("normalizations", in_steps=True)


class NormalizationPart(Part):
    """What normalizes a hidden layer."""

    family: ClassVar[Family[NormalizationPart]] = NORMALIZATIONS

    name: str = ""


class NoNormalization(NormalizationPart, name="none", compiled=True):
    """Nothing: the activation sees the dense layer's outputs."""


class BatchNorm(NormalizationPart, name="batch", runs="common.models.normalizations:BatchNorm"):
    """Batch normalization (Ioffe and Szegedy 2015, algorithm 1); its dense layer has no bias.

    In a batch of one row, which has no spread, it gives its shift, and leaves the running statistics alone.
    """

    momentum: float = key("Share of a batch in the running statistics.", 0.1, unit="fraction", gt=0, le=1)
    eps: float = key("Added to the variance.", 1e-5, unit="none", gt=0)
    statistics: Literal["averaged", "recomputed"] = key(
        "What the global model is used with: averaged takes the mean of the clients' running statistics, each "
        "client counting as the strategy counts it: by its rows, alike (scaffold, feddyn, fedexp) or by rows over "
        "steps (fednova); robust strategies take their own rule. recomputed gathers the exact ones of the new global "
        "weights, as sums over the cohort's training rows, layer after layer.",
        "averaged",
    )


class LayerNorm(NormalizationPart, name="layer", runs="common.models.normalizations:LayerNorm"):
    """Layer normalization (Ba et al. 2016, equation 3): over each row's units."""

    eps: float = key("Added to the variance.", 1e-5, unit="none", gt=0)


Normalization = Annotated[NormalizationPart, NORMALIZATIONS]
