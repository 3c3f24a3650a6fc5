"""How clients' rows differ beyond who has which: one class for each `data.skew[].kind`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from common.scenario.base import Named, Part, key


class RotationSkew(Part):
    """Every client's images are turned by an angle of its own (feature skew)."""

    kind: Literal["rotation"] = key("Turned images.", "rotation")
    degrees: float = key("A client's angle is drawn between minus and plus this.", 45.0, unit="degrees", gt=0, le=180)


class NoiseSkew(Part):
    """Client i of N has normal noise of sigma·i/N on its features (Li et al. 2022, noise-based imbalance)."""

    kind: Literal["noise"] = key("Noisy features, more from client to client.", "noise")
    sigma: float = key("The last client's noise.", 0.1, unit="of 255 for bytes, else of a column's deviation", gt=0)


class ChannelSkew(Part):
    """Every client's images are lighter or darker, channel by channel, by amounts of its own (feature skew)."""

    kind: Literal["channel_shift"] = key("Shifted channels.", "channel_shift")
    amount: float = key(
        "A client's shifts are drawn between minus and plus this.",
        0.2,
        unit="of 255 for bytes, else as is",
        gt=0,
        le=1e9,
    )


class LabelSkew(Part):
    """Clients fall into clusters, and each cluster calls the classes by other names (concept skew)."""

    kind: Literal["label_permutation"] = key("Labels permuted by cluster.", "label_permutation")
    clusters: int = key(
        "How many; client i is in cluster i mod clusters, and the first keeps the true labels.",
        2,
        unit="clusters",
        ge=2,
    )


Skew = Annotated[RotationSkew | NoiseSkew | ChannelSkew | LabelSkew, Field(discriminator="kind"), Named("kind")]

SKEWS: tuple[type[Part], ...] = (RotationSkew, NoiseSkew, ChannelSkew, LabelSkew)
