"""What training makes of a client's examples before it sees them: one class for each `training.augmentation[].kind`.

Augmentation acts on raw values, before gaps are filled and columns are scaled. The parts are in `common/augmentation/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol

from common.scenario.base import Part, key
from common.scenario.registry import Family

if TYPE_CHECKING:
    # Reading options does without PyTorch.
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from common.draws import PixelRandom, TextRandom
    from common.seeds import Streams

    Uniforms = NDArray[np.float64]
    Maps = NDArray[np.float64]
    """For each image the matrix [A | b] of p ↦ A p + b, shape (images, 2, 3): from a place in the result to the place
    in the original that it shows. Places are in pixels from the image's middle, x to the right, y down."""

AUGMENTATIONS: Family[AugmentationPart] = Family("augmentations", "kind", declared_in="common.augmentation.*")


class AugmentationPart(Part):
    """A step of augmentation."""

    family: ClassVar[Family[AugmentationPart]] = AUGMENTATIONS

    kind: str = ""
    probability: float = key(
        "How likely an example is changed, each time it is trained on.", 0.5, unit="fraction", ge=0, le=1
    )


class ImageAugmentation(AugmentationPart):
    """One that changes the values of images' pixels."""

    colors_only: ClassVar[bool] = False
    """Whether it is for images of red, green and blue with black at 0."""

    def change(self, pixels: Tensor, random: PixelRandom) -> Tensor:
        """Images (images, channels, height, width) as they are seen; `pixels` may be changed in place."""
        raise NotImplementedError


class GeometricAugmentation(ImageAugmentation):
    """One that only moves pixels: several in a row are resampled once."""

    def maps(self, u: Uniforms, height: int, width: int) -> Maps:
        """Where the pixels of images of this size come from, by `u`, two numbers in [0, 1) for each: (images, 2)."""
        raise NotImplementedError


class Columns(Protocol):
    """The raw features of a table."""

    @property
    def spread(self) -> Tensor:
        """Each one's standard deviation over all clients' training examples, (features,), float64."""

    @property
    def dropped(self) -> Tensor:
        """What a value becomes that goes missing: NaN where something takes its place later, else 0; float64."""

    @property
    def categories(self) -> Tensor:
        """Which hold codes of categories, (features,)."""

    def of_same_class(self, examples: NDArray[np.int64], u: Uniforms) -> Tensor:
        """An example of the class and client of each, itself perhaps, drawn by `u` (examples,) in [0, 1).

        (examples, features); `examples` are positions in the data.
        """


class TableAugmentation(AugmentationPart):
    """One that changes numeric examples."""

    needs_spread: ClassVar[bool] = False
    """Whether it uses the columns' standard deviations, which clients then agree on."""
    needs_classes: ClassVar[bool] = False
    """Whether it uses other examples of the same class."""

    def change(self, x: Tensor, keys: Streams, columns: Columns, examples: NDArray[np.int64]) -> Tensor:
        """Examples (examples, features) as they are seen, each drawn from its stream; `x` may be changed in place.

        `examples` are their positions in the data.
        """
        raise NotImplementedError


class TextAugmentation(AugmentationPart):
    """One that changes texts."""

    order_only: ClassVar[bool] = False
    """Whether it leaves the words themselves as they are, which features of single words do not see."""

    def change(self, text: str, random: TextRandom) -> str:
        """A text as it is seen."""
        raise NotImplementedError


Augmentation = Annotated[AugmentationPart, AUGMENTATIONS]
