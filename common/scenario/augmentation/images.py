"""What is made of images: their kinds in `training.augmentation`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from common.scenario.augmentation.probability import probability
from common.scenario.base import Part, key, refuse

Positive = Annotated[float, Field(gt=0)]
Pair = tuple[Positive, Positive]


class Rotation(Part):
    """Images: turned about the middle."""

    kind: Literal["rotation"] = key("Turned images.", "rotation")
    probability: float = probability()
    degrees: float = key("The angle is drawn between minus and plus this.", 15.0, unit="degrees", ge=0, le=180)


class Shift(Part):
    """Images: moved sideways and up or down."""

    kind: Literal["shift"] = key("Moved images.", "shift")
    probability: float = probability()
    fraction: float = key(
        "Either way is drawn between minus and plus this.", 0.1, unit="of the width and of the height", ge=0, le=1
    )


class Crop(Part):
    """Images: padded with black on all sides and cut back to their size at a random place."""

    kind: Literal["crop"] = key("Random crops of padded images.", "crop")
    probability: float = probability()
    padding: int = key("How many black pixels on each side.", 2, unit="pixels", ge=0, le=1024)


class Flip(Part):
    """Images: mirrored."""

    kind: Literal["flip"] = key("Mirrored images.", "flip")
    probability: float = probability()
    direction: Literal["horizontal", "vertical"] = key(
        "horizontal exchanges left and right, vertical top and bottom.", "horizontal"
    )


class Scale(Part):
    """Images: made larger or smaller about the middle."""

    kind: Literal["scale"] = key("Enlarged and reduced images.", "scale")
    probability: float = probability()
    amount: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.1, unit="fraction", ge=0, lt=1)


class Shear(Part):
    """Images: slanted, their lines moved sideways in proportion to their distance from the middle."""

    kind: Literal["shear"] = key("Slanted images.", "shear")
    probability: float = probability()
    degrees: float = key("The slant is drawn between minus and plus this.", 10.0, unit="degrees", ge=0, lt=90)


class Brightness(Part):
    """Images: every pixel multiplied by one factor."""

    kind: Literal["brightness"] = key("Lighter and darker images.", "brightness")
    probability: float = probability()
    amount: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)


class Contrast(Part):
    """Images: every pixel's distance from the image's mean brightness multiplied by one factor."""

    kind: Literal["contrast"] = key("Images of more and of less contrast.", "contrast")
    probability: float = probability()
    amount: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)


class ColorJitter(Part):
    """Colour images: brightness, contrast, saturation and hue changed, in this order."""

    kind: Literal["color_jitter"] = key("Changed colours.", "color_jitter")
    probability: float = probability()
    brightness: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)
    contrast: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)
    saturation: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)
    hue: float = key(
        "The turn is drawn between minus and plus this.", 0.05, unit="of the circle of colours", ge=0, le=0.5
    )


class Noise(Part):
    """Images: normal noise on every pixel."""

    kind: Literal["noise"] = key("Noisy images.", "noise")
    probability: float = probability()
    sigma: float = key("The noise's standard deviation.", 0.05, unit="of white", ge=0)


class Blur(Part):
    """Images: out of focus, by a Gaussian of a random width."""

    kind: Literal["blur"] = key("Blurred images.", "blur")
    probability: float = probability()
    sigma: float = key("Its standard deviation is drawn between 0 and this.", 1.0, unit="pixels", ge=0, le=50)


class Erasing(Part):
    """Images: a rectangle at a random place painted over (Zhong et al. 2020)."""

    kind: Literal["erasing"] = key("Images with a rectangle erased.", "erasing")
    probability: float = probability()
    area: Pair = key("The smallest and the largest rectangle.", (0.02, 0.2), unit="of the image", strict=False)
    aspect: Pair = key(
        "The least and the most height for its width; drawn evenly on a logarithmic scale.", (0.3, 3.3), strict=False
    )
    value: float = key("What it is painted with: 0 is black, 1 is white.", 0.0, unit="of white", ge=0, le=1)

    @model_validator(mode="after")
    def _in_order(self) -> Erasing:
        for name in ("area", "aspect"):
            low, high = getattr(self, name)
            if low > high:
                raise refuse(name, "the smaller number first")
        if self.area[1] > 1:
            raise refuse("area", "numbers of at most 1, the whole image")
        return self


Image = Rotation | Shift | Crop | Flip | Scale | Shear | Brightness | Contrast | ColorJitter | Noise | Blur | Erasing
