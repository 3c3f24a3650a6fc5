"""What training makes of a client's rows before it sees them: one class for each `training.augmentation[].kind`.

Augmentation acts on raw values, before gaps are filled and columns are scaled.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from common.scenario.base import FilePath, Named, Part, key, refuse

Positive = Annotated[float, Field(gt=0)]
Pair = tuple[Positive, Positive]
Word = Annotated[str, Field(min_length=1)]
Words = Annotated[
    dict[Word, Annotated[tuple[Word, ...], Field(min_length=1, strict=False)]],
    AfterValidator(lambda words: {word.lower(): synonyms for word, synonyms in words.items()}),
]
"""Each word, in lower case, with its synonyms."""


def _probability() -> Any:
    return key("How likely a row is changed, each time it is trained on.", 0.5, unit="fraction", ge=0, le=1)


class Rotation(Part):
    """Images: turned about the middle."""

    kind: Literal["rotation"] = key("Turned images.", "rotation")
    probability: float = _probability()
    degrees: float = key("The angle is drawn between minus and plus this.", 15.0, unit="degrees", ge=0, le=180)


class Shift(Part):
    """Images: moved sideways and up or down."""

    kind: Literal["shift"] = key("Moved images.", "shift")
    probability: float = _probability()
    fraction: float = key(
        "Either way is drawn between minus and plus this.", 0.1, unit="of the width and of the height", ge=0, le=1
    )


class Crop(Part):
    """Images: padded with black on all sides and cut back to their size at a random place."""

    kind: Literal["crop"] = key("Random crops of padded images.", "crop")
    probability: float = _probability()
    padding: int = key("How many black pixels on each side.", 2, unit="pixels", ge=0, le=1024)


class Flip(Part):
    """Images: mirrored."""

    kind: Literal["flip"] = key("Mirrored images.", "flip")
    probability: float = _probability()
    direction: Literal["horizontal", "vertical"] = key(
        "horizontal exchanges left and right, vertical top and bottom.", "horizontal"
    )


class Scale(Part):
    """Images: made larger or smaller about the middle."""

    kind: Literal["scale"] = key("Enlarged and reduced images.", "scale")
    probability: float = _probability()
    amount: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.1, unit="fraction", ge=0, lt=1)


class Shear(Part):
    """Images: slanted, their lines moved sideways in proportion to their distance from the middle."""

    kind: Literal["shear"] = key("Slanted images.", "shear")
    probability: float = _probability()
    degrees: float = key("The slant is drawn between minus and plus this.", 10.0, unit="degrees", ge=0, lt=90)


class Brightness(Part):
    """Images: every pixel multiplied by one factor."""

    kind: Literal["brightness"] = key("Lighter and darker images.", "brightness")
    probability: float = _probability()
    amount: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)


class Contrast(Part):
    """Images: every pixel's distance from the image's mean brightness multiplied by one factor."""

    kind: Literal["contrast"] = key("Images of more and of less contrast.", "contrast")
    probability: float = _probability()
    amount: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)


class ColorJitter(Part):
    """Colour images: brightness, contrast, saturation and hue changed, in this order."""

    kind: Literal["color_jitter"] = key("Changed colours.", "color_jitter")
    probability: float = _probability()
    brightness: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)
    contrast: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)
    saturation: float = key("The factor is drawn between 1 minus and 1 plus this.", 0.2, unit="fraction", ge=0, le=1)
    hue: float = key(
        "The turn is drawn between minus and plus this.", 0.05, unit="of the circle of colours", ge=0, le=0.5
    )


class Noise(Part):
    """Images: normal noise on every pixel."""

    kind: Literal["noise"] = key("Noisy images.", "noise")
    probability: float = _probability()
    sigma: float = key("The noise's standard deviation.", 0.05, unit="of white", ge=0)


class Blur(Part):
    """Images: out of focus, by a Gaussian of a random width."""

    kind: Literal["blur"] = key("Blurred images.", "blur")
    probability: float = _probability()
    sigma: float = key("Its standard deviation is drawn between 0 and this.", 1.0, unit="pixels", ge=0, le=50)


class Erasing(Part):
    """Images: a rectangle at a random place painted over (Zhong et al. 2020)."""

    kind: Literal["erasing"] = key("Images with a rectangle erased.", "erasing")
    probability: float = _probability()
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


class CharacterNoise(Part):
    """Texts: characters left out, put in, replaced, or exchanged with the next one."""

    kind: Literal["character_noise"] = key("Garbled texts.", "character_noise")
    probability: float = _probability()
    rate: float = key("How likely any one character is hit.", 0.05, unit="fraction", ge=0, le=1)


class Typos(Part):
    """Texts: letters replaced by their neighbours on a keyboard."""

    kind: Literal["typos"] = key("Mistyped texts.", "typos")
    probability: float = _probability()
    rate: float = key(
        "How likely any one letter is mistyped; what is on no key of the keyboard stays.",
        0.05,
        unit="fraction",
        ge=0,
        le=1,
    )
    layout: Literal["qwerty", "qwertz", "azerty"] = key("The keyboard.", "qwerty")


class WordDeletion(Part):
    """Texts: words left out; one always stays."""

    kind: Literal["word_deletion"] = key("Texts with gaps.", "word_deletion")
    probability: float = _probability()
    rate: float = key(
        "How likely any one word is left out. A Chinese character or a kana counts as a word.",
        0.1,
        unit="fraction",
        ge=0,
        le=1,
    )


class WordSwap(Part):
    """Texts: words that change places with another word of the text."""

    kind: Literal["word_swap"] = key("Words in each other's places.", "word_swap")
    probability: float = _probability()
    rate: float = key(
        "How likely any one word is moved. A Chinese character or a kana counts as a word.",
        0.1,
        unit="fraction",
        ge=0,
        le=1,
    )


class WordRepetition(Part):
    """Texts: words said twice."""

    kind: Literal["word_repetition"] = key("Words said twice.", "word_repetition")
    probability: float = _probability()
    rate: float = key(
        "How likely any one word is repeated. A Chinese character or a kana counts as a word.",
        0.1,
        unit="fraction",
        ge=0,
        le=1,
    )


class Synonyms(Part):
    """Texts: words replaced by others of your own table."""

    kind: Literal["synonyms"] = key("Other words for the same.", "synonyms")
    probability: float = _probability()
    rate: float = key(
        "How likely any one word that has synonyms is replaced. In scripts without spaces the longest of the table's "
        "that begins at a character is the word there.",
        0.3,
        unit="fraction",
        ge=0,
        le=1,
    )
    path: FilePath | None = key(
        "A text file with a line for each word: the word, then its synonyms, with commas between.", None
    )
    words: Words | None = key("The table itself, in place of a file.", None)

    @model_validator(mode="after")
    def _one_table(self) -> Synonyms:
        if (self.path is None) == (self.words is None):
            raise refuse("path", "a file of synonyms, or in its place `words`")
        return self


class ClauseShuffle(Part):
    """Texts: the clauses between punctuation marks in another order."""

    kind: Literal["clause_shuffle"] = key("Clauses in another order.", "clause_shuffle")
    probability: float = _probability()


class WordShuffle(Part):
    """Texts: words in another order, none far from its place (Lample et al. 2018)."""

    kind: Literal["word_shuffle"] = key("Words in another order.", "word_shuffle")
    probability: float = _probability()
    window: int = key("How far a word may move. A Chinese character or a kana counts as a word.", 3, unit="words", ge=1)


class FeatureNoise(Part):
    """Numbers: normal noise on every numeric column."""

    kind: Literal["feature_noise"] = key("Noisy columns.", "feature_noise")
    probability: float = _probability()
    sigma: float = key(
        "The noise's standard deviation.", 0.1, unit="of the column's own over all clients' training rows", ge=0
    )


class FeatureDropout(Part):
    """Numbers: values that go missing, and are dealt with as `data.missing` says; else they become 0."""

    kind: Literal["feature_dropout"] = key("Values that go missing.", "feature_dropout")
    probability: float = _probability()
    rate: float = key("How likely any one value goes missing.", 0.1, unit="fraction", ge=0, le=1)


class Interpolation(Part):
    """Numbers: a point between the row and another of its class at the same client (after Chawla et al. 2002)."""

    kind: Literal["interpolation"] = key("Points between rows of a class.", "interpolation")
    probability: float = _probability()
    most: float = key(
        "How far towards the other row at most: 0 not at all, 1 all the way.", 0.5, unit="fraction", ge=0, le=1
    )


Augmentation = Annotated[
    Rotation
    | Shift
    | Crop
    | Flip
    | Scale
    | Shear
    | Brightness
    | Contrast
    | ColorJitter
    | Noise
    | Blur
    | Erasing
    | CharacterNoise
    | Typos
    | WordDeletion
    | WordSwap
    | WordRepetition
    | Synonyms
    | ClauseShuffle
    | WordShuffle
    | FeatureNoise
    | FeatureDropout
    | Interpolation,
    Field(discriminator="kind"),
    Named("kind"),
]

IMAGES: tuple[type[Part], ...] = (
    Rotation,
    Shift,
    Crop,
    Flip,
    Scale,
    Shear,
    Brightness,
    Contrast,
    ColorJitter,
    Noise,
    Blur,
    Erasing,
)
TEXTS: tuple[type[Part], ...] = (
    CharacterNoise,
    Typos,
    WordDeletion,
    WordSwap,
    WordRepetition,
    Synonyms,
    ClauseShuffle,
    WordShuffle,
)
TABLES: tuple[type[Part], ...] = (FeatureNoise, FeatureDropout, Interpolation)
AUGMENTATIONS = (*IMAGES, *TEXTS, *TABLES)
