"""Which augmentations fit which data."""

from __future__ import annotations

from collections.abc import Sequence

from common.data.images import image_shape
from common.data.prepared import Meta
from common.errors import InputError
from common.scenario.augmentation import (
    AUGMENTATIONS,
    Augmentation,
    ImageAugmentation,
    TableAugmentation,
    TextAugmentation,
)


def check_augmentation(augmentation: Sequence[Augmentation], meta: Meta) -> None:
    """Raises InputError naming the first augmentation that is not for such rows."""
    what, fitting = _augmentations_for(meta)
    names = [name for name, part in AUGMENTATIONS.parts.items() if issubclass(part, fitting)] or ["none"]
    for place, spec in enumerate(augmentation):
        where = f"training.augmentation.{place}.kind"
        if not isinstance(spec, fitting):
            raise InputError(f"the data are {what}; use one of {', '.join(names)}", where)
        if isinstance(spec, TableAugmentation) and spec.needs_classes and meta.task != "classification":
            raise InputError("interpolates within a class, but the task is a regression; use feature_noise", where)
        if isinstance(spec, ImageAugmentation) and spec.colors_only:
            shape = image_shape(meta.row_shape)
            if shape is None or shape.channels != 3:
                raise InputError("the images are not of red, green and blue; use brightness or contrast", where)
            if meta.white is None:
                raise InputError(f"the images' values go below 0, which is black for {spec.kind}", where)


def needs_spread(augmentation: Sequence[Augmentation]) -> bool:
    """Whether an augmentation goes by the columns' standard deviations, which are then to be agreed."""
    return any(isinstance(spec, TableAugmentation) and spec.needs_spread for spec in augmentation)


def augmentation_hints(augmentation: Sequence[Augmentation], meta: Meta) -> list[str]:
    """What is worth knowing of augmentations that fit and yet do nothing."""
    if meta.text is None or meta.text.ngrams != (1, 1):
        return []
    return [
        f"training.augmentation.{place}: {spec.kind} only changes the order of words, "
        f"which features of single {meta.text.unit} do not see; data.text.ngrams: [1, 2] does"
        for place, spec in enumerate(augmentation)
        if isinstance(spec, TextAugmentation) and spec.order_only
    ]


def _augmentations_for(meta: Meta) -> tuple[str, tuple[type, ...]]:
    if meta.sequence is not None:
        return "sequences of tokens", ()
    if meta.text is not None:
        return "texts", (TextAugmentation,)
    if image_shape(meta.row_shape) is not None:
        return "images", (ImageAugmentation, TableAugmentation)
    return "a table", (TableAugmentation,)
