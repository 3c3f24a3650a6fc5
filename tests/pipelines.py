"""Pipelines for tests, on rows of any shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clients.augmentation import Pipeline
from common import seeds
from common.data.prepared import Meta, TextForm
from common.scenario.training import Training
from tests.federations import plain_meta


def images_meta(shape: tuple[int, ...], white: float | None = 1.0) -> Meta:
    """Images of this shape."""
    return replace(plain_meta("classification", [0, 1], 0, 0), row_shape=list(shape), white=white)


def texts_meta() -> Meta:
    """Texts."""
    return replace(images_meta(()), white=None, text=TextForm("bag", 100, (1, 1), True, 1))


def pipeline(meta: Meta, *augmentation: dict[str, Any], spread: np.ndarray | None = None) -> Pipeline:
    """The augmentations for such rows, certain to change each unless they say otherwise."""
    certain = [{"probability": 1.0, **one} for one in augmentation]
    specs = Training(augmentation=certain).augmentation  # type: ignore[arg-type]
    return Pipeline(specs, meta, np.empty(0) if spread is None else spread)


def keys(rows: int, seed: int = 0) -> seeds.Streams:
    """A stream for each row."""
    return seeds.streams(seed, "augmentation", 1, np.arange(rows))


def on_images(
    images: np.ndarray, *augmentation: dict[str, Any], white: float | None = 1.0, seed: int = 0
) -> np.ndarray:
    """Images (images, *shape) after the augmentations, in float64."""
    made = pipeline(images_meta(images.shape[1:], white), *augmentation)
    rows: Tensor = torch.tensor(images.reshape(len(images), -1), dtype=torch.float64)
    return np.asarray(made.change(keys(len(images), seed))(rows)).reshape(images.shape)


def on_texts(texts: list[str], *augmentation: dict[str, Any], seed: int = 0) -> list[str]:
    """Texts after the augmentations."""
    found: list[str] = pipeline(texts_meta(), *augmentation).change(keys(len(texts), seed))(texts)
    return found
