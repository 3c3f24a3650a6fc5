"""From what a network makes back to examples as they are in the data: columns unscaled, categories and gaps drawn."""

from __future__ import annotations

import torch
from torch import Tensor

from common.data.data_spec import DataSpec


def draws_per_example(data_spec: DataSpec) -> int:
    """How many uniform numbers an example takes: one for each column of categories and each indicator."""
    grouped = sum(column.categories is not None for column in data_spec.columns)
    return grouped + len(data_spec.indicators)


def raw_examples(data_spec: DataSpec, means: Tensor, uniforms: Tensor) -> Tensor:
    """Examples whose means, or probabilities, are these: (examples, features) → (examples, raw features), float64.

    It undoes `common.data.transform`. Numbers are their means, rounded where all of the column's are whole; a category
    is drawn, as its code, and whether a value is missing, which is NaN. `uniforms` are (examples, draws_per_example).
    """
    columns = data_spec.columns
    grouped = [place for place, column in enumerate(columns) if column.categories is not None]
    numeric = [place for place in range(len(data_spec.shift)) if place not in grouped]
    means, raw = means.double(), means.new_empty((len(means), len(data_spec.shift)), dtype=torch.float64)
    shift, scale = torch.from_numpy(data_spec.shift), torch.from_numpy(data_spec.scale)
    raw[:, numeric] = means[:, : len(numeric)] * scale[numeric] + shift[numeric]
    whole = [place for place in numeric if columns and columns[place].whole]
    # Adding 0 makes −0 a plain 0.
    raw[:, whole] = raw[:, whole].round() + 0.0
    start = len(numeric)
    for draw, place in enumerate(grouped):
        width = len(columns[place].categories or ())
        chances = means[:, start : start + width].cumsum(dim=1)
        chosen = (uniforms[:, draw, None] * chances[:, -1:] >= chances).sum(dim=1)
        raw[:, place] = chosen.clamp(max=width - 1).double()
        start += width
    for draw, place in enumerate(data_spec.indicators, start=len(grouped)):
        missing = uniforms[:, draw] < means[:, start + draw - len(grouped)]
        raw[missing, place] = torch.nan
    return raw
