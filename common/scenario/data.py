"""`data:` where the examples come from, what is held out and how they are partitioned."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from common.scenario.base import Part, key, refuse
from common.scenario.partitions import Partition
from common.scenario.skews import Skew
from common.scenario.sources import Source


class Text(Part):
    """How texts become numbers; only for sources of text."""

    features: Literal["bag", "tfidf", "hashed"] = key(
        "bag counts the terms that occur in most texts, tfidf weighs them by how rare they are, hashed counts terms "
        "in buckets, half of them with a minus sign, brings every example to length 1 and needs no agreed vocabulary.",
        "tfidf",
    )
    width: int = key("How many terms, or buckets.", 2000, unit="features", ge=1, le=1_000_000)
    ngrams: tuple[Annotated[int, Field(ge=1, le=5)], Annotated[int, Field(ge=1, le=5)]] = key(
        "The shortest and the longest run of words, or of characters, that is a term.",
        (1, 1),
        unit="as `unit` says",
        strict=False,
    )
    unit: Literal["words", "characters"] = key(
        "What terms are runs of. Characters also see into words: misspelt ones, and scripts without spaces, in which a "
        "whole clause would be one word.",
        "words",
    )
    lowercase: bool = key("Whether upper and lower case are the same.", True)
    min_texts: int = key("In how many texts a term must occur.", 2, unit="texts", ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Text:
        if self.ngrams[0] > self.ngrams[1]:
            raise refuse("ngrams", "the shortest run first")
        return self


class Image(Part):
    """The images that flattened examples are: line after line, a pixel's channels side by side."""

    height: int = key("Lines.", unit="pixels", ge=2)
    width: int = key("Pixels of a line.", unit="pixels", ge=2)
    channels: int = key("Numbers of a pixel.", 1, unit="numbers", ge=1, le=4)


class Data(Part):
    """The data of the federation."""

    source: Source = key("Where the examples come from.")
    test_fraction: float = key(
        "Share of the examples the server keeps for testing. Only for a source without test examples of its own.",
        0.0,
        unit="fraction of all examples",
        ge=0,
        lt=1,
    )
    validation_fraction: float = key(
        "Share of the training examples the server keeps for validation: never trained on, never tested on.",
        0.0,
        unit="fraction of training examples",
        ge=0,
        lt=1,
    )
    client_holdout: float = key(
        "Share of its examples that each client keeps out of training to evaluate on. "
        "A client always keeps at least one example to train on.",
        0.0,
        unit="fraction of a client's examples",
        ge=0,
        lt=1,
    )
    partition: Partition = key(
        "How the training examples are cut into one shard per client.", "iid", validate_default=True
    )
    skew: tuple[Skew, ...] = key(
        "How clients' examples differ beyond their partition; applied in turn, never to the server's examples.",
        (),
        strict=False,
    )
    missing: Literal["auto", "refuse", "mean", "median", "indicator"] = key(
        "What is done about missing values (NaN): refuse says where the first is; mean and median of the column take "
        "their place; indicator is mean and a further feature that says where; auto is mean for tables, else refuse. "
        "A missing text is no category.",
        "auto",
    )
    missing_statistics: Literal["federation", "client"] = key(
        "Whose mean or median: that of all clients' training examples (found from sums), or the client's own where "
        "it has one.",
        "federation",
    )
    image: Image | None = key(
        "The shape of images that are plain numbers; sources of images (idx, digits, images) know theirs.",
        None,
    )
    text: Text = key("How texts become numbers.", Text())
    scale: Literal["auto", "standardize", "none"] = key(
        "standardize brings every column of the clients' training examples (and a regression's target) to mean 0 and "
        "standard deviation 1; none uses the numbers as they are; auto standardizes tables and divides uint8 by 255.",
        "auto",
    )

    @model_validator(mode="after")
    def _something_left(self) -> Data:
        if self.test_fraction + self.validation_fraction >= 1:
            raise refuse("validation_fraction", "test_fraction and validation_fraction together below 1")
        return self
