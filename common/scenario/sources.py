"""Where the rows come from: one class for each `data.source.kind`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from common.scenario.base import FilePath, Named, Part, key


class SklearnSource(Part):
    """A small data set that comes with scikit-learn; needs no download."""

    kind: Literal["sklearn"] = key("A data set bundled with scikit-learn.", "sklearn")
    name: Literal["digits", "breast_cancer", "wine", "iris", "diabetes"] = key(
        "Which one: four classifications and diabetes, a regression.", "digits"
    )


class IdxSource(Part):
    """A folder with the four files of MNIST's format: images and labels, training and test."""

    kind: Literal["idx"] = key("MNIST-style idx files.", "idx")
    path: FilePath = key(
        "The folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
        "t10k-labels-idx1-ubyte, each plain or with .gz."
    )


class NpzSource(Part):
    """A NumPy archive with x_train and y_train, and where you have them x_test, y_test and client."""

    kind: Literal["npz"] = key("A NumPy .npz archive.", "npz")
    path: FilePath = key("The .npz file.")
    task: Literal["auto", "classification", "regression"] = key(
        "What y_train is: auto takes whole numbers and text for labels, other numbers for targets.", "auto"
    )


Source = Annotated[SklearnSource | IdxSource | NpzSource, Field(discriminator="kind"), Named("kind")]

SOURCES: tuple[type[Part], ...] = (SklearnSource, IdxSource, NpzSource)
