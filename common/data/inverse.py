"""From what a network makes back to examples as they are in the data: columns unscaled, categories and gaps chosen."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from common.data.data_spec import DataSpec


def raw_examples(
    data_spec: DataSpec, means: Tensor, draw: np.random.Generator | None = None, sigma: float = 0.0
) -> Tensor:
    """Examples with these means and probabilities: (examples, features) → (examples, raw features), float64.

    It undoes `common.data.transform`. Without `draw` they are the most likely ones: numbers are their means, a
    category, given as its code, is the most probable one, and a value is missing (NaN) where that is more probable than
    not. With it all of these are drawn, numbers with the standard deviation `sigma`, after scaling. Numbers are rounded
    where all of the column's are whole.
    """
    columns = data_spec.columns
    grouped = [place for place, column in enumerate(columns) if column.categories is not None]
    numeric = [place for place in range(len(data_spec.shift)) if place not in grouped]
    means, raw = means.double(), means.new_empty((len(means), len(data_spec.shift)), dtype=torch.float64)
    numbers, start = means[:, : len(numeric)], len(numeric)
    if draw is not None:
        numbers = numbers + sigma * torch.from_numpy(draw.standard_normal(tuple(numbers.shape)))
    shift, scale = torch.from_numpy(data_spec.shift), torch.from_numpy(data_spec.scale)
    raw[:, numeric] = numbers * scale[numeric] + shift[numeric]
    whole = [place for place in numeric if columns and columns[place].whole]
    # Adding 0 makes −0 a plain 0.
    raw[:, whole] = raw[:, whole].round() + 0.0
    for place in grouped:
        width = len(columns[place].categories or ())
        chances = means[:, start : start + width]
        if draw is None:
            chosen = chances.argmax(dim=1)
        else:
            below = chances.cumsum(dim=1)
            chosen = (torch.from_numpy(draw.random((len(means), 1))) * below[:, -1:] >= below).sum(dim=1)
        raw[:, place] = chosen.clamp(max=width - 1).double()
        start += width
    for draw_from, place in enumerate(data_spec.indicators, start=start):
        limit = 0.5 if draw is None else torch.from_numpy(draw.random(len(means)))
        raw[means[:, draw_from] > limit, place] = torch.nan
    return raw
