"""How clients' rows differ beyond who has which: one class for each `data.skew[].kind`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from common.scenario.base import Part, key
from common.scenario.registry import Family

SKEWS: Family[SkewPart] = Family("skews", "kind")


class SkewPart(Part):
    """How a client's rows differ."""

    family: ClassVar[Family[SkewPart]] = SKEWS

    kind: str = ""


class RotationSkew(SkewPart, name="rotation", runs="common.data.skews.rotation:change"):
    """Every client's images are turned by an angle of its own (feature skew)."""

    degrees: float = key("A client's angle is drawn between minus and plus this.", 45.0, unit="degrees", gt=0, le=180)


class NoiseSkew(SkewPart, name="noise", runs="common.data.skews.noise:change"):
    """Client i of N has normal noise of sigma·i/N on its features (Li et al. 2022, noise-based imbalance)."""

    sigma: float = key("The last client's noise.", 0.1, unit="of 255 for bytes, else of a column's deviation", gt=0)


class ChannelSkew(SkewPart, name="channel_shift", runs="common.data.skews.channels:change"):
    """Every client's images are lighter or darker, channel by channel, by amounts of its own (feature skew)."""

    amount: float = key(
        "A client's shifts are drawn between minus and plus this.",
        0.2,
        unit="of 255 for bytes, else as is",
        gt=0,
        le=1e9,
    )


class LabelSkew(SkewPart, name="label_permutation", runs="common.data.skews.labels:change"):
    """Clients fall into clusters, and each cluster calls the classes by other names (concept skew)."""

    clusters: int = key(
        "How many; client i is in cluster i mod clusters, and the first keeps the true labels.",
        2,
        unit="clusters",
        ge=2,
    )


Skew = Annotated[SkewPart, SKEWS]
