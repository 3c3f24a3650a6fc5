"""What a generative model makes: samples as it learned, reconstructions, walks, and how close it keeps to examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from common.data.images import image_shape
from hothouse.report.page import Page
from hothouse.report.parts import paragraph, part, table
from hothouse.report.sections import documents
from hothouse.results.images import grid_uri, is_image
from hothouse.results.records import RunRecords

_ACROSS, _MOST_ROWS, _MOST_COLUMNS = 15, 8, 12
_LARGE = 56
"""How many pixels high and wide an image is shown, about, where it is smaller."""


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """Pictures or rows of tables; nothing for a run that learns labels."""
    made = records.generated
    if not made and not records.samples:
        return []
    found: list[Markup] = []
    if "texts" in made or any("texts" in line for line in records.samples):
        return documents.parts(records)
    final = [made] if "samples" in made else []
    rounds = [line for line in records.samples if not final or line["round"] != made["round"]]
    for line in [*rounds, *final]:
        found += [part("heading", f"Samples after round {line['round']}"), _examples(records, line["samples"])]
    if "originals" in made:
        told = f"Each of these {made['split']} examples, and what the decoder makes of its code."
        found += [part("heading", "Reconstructions"), paragraph(told), _reconstructions(records)]
    if made.get("walks"):
        told = "Each line goes straight from the code of one example to that of another."
        walked = [row for walk in made["walks"] for row in walk]
        found += [
            part("heading", "Walks through the codes"),
            paragraph(told),
            _examples(records, walked, len(made["walks"][0])),
        ]
    if "nearest" in made:
        found += [part("heading", "Distance to the training examples"), *_nearest(made["nearest"])]
    return found


def _examples(records: RunRecords, rows: list[list[Any]], across: int = _ACROSS) -> Markup:
    """Examples as one picture with so many in a line, or as rows."""
    shape = records.generated.get("row_shape") or _shape(records)
    if shape and is_image(shape):
        return _pictures(np.array(rows, dtype=float), shape, across, "Examples that the model made")
    names = records.generated.get("columns") or [f"x{place}" for place in range(len(rows[0]))]
    return table(names[:_MOST_COLUMNS], [row[:_MOST_COLUMNS] for row in rows[:_MOST_ROWS]])


def _reconstructions(records: RunRecords) -> Markup:
    made = records.generated
    originals, again = made["originals"], made["reconstructions"]
    if is_image(made["row_shape"]):
        both = np.array([*originals, *again], dtype=float)
        return _pictures(both, made["row_shape"], len(originals), "Examples, and their reconstructions below them")
    names = made["columns"] or [f"x{place}" for place in range(len(originals[0]))]
    pairs = [
        (kind, *row[:_MOST_COLUMNS])
        for original, copy in list(zip(originals, again, strict=True))[:_MOST_ROWS]
        for kind, row in (("example", original), ("reconstruction", copy))
    ]
    return table(["", *names[:_MOST_COLUMNS]], pairs)


def _nearest(nearest: dict[str, Any]) -> list[Markup]:
    """How far samples are from what the model was shown, beside how far examples are that it never saw."""
    head = ["", "5%", "25%", "median", "75%", "95%"]
    names = {"samples": "samples", "held_out": "held-out examples"}
    rows = [(told, *nearest[name]) for name, told in names.items() if name in nearest]
    told = (
        f"From the nearest of {nearest['training_examples']:,} training examples: the root of the mean squared "
        "difference between the numbers that the network sees. A generator can give back examples that it was shown: "
        "samples that are much closer to training examples than held-out examples are would show that."
    )
    if "held_out" in nearest:
        samples, held_out = nearest["samples"][0], nearest["held_out"][0]
        closer = (
            f"Here the closest 5% of the samples are within {samples:.3g}, of the held-out examples {held_out:.3g}."
        )
        told = f"{told} {closer}"
    return [paragraph(told), table(head, rows)]


def _pictures(values: NDArray[np.float64], shape: list[int], across: int, words: str) -> Markup:
    found = image_shape(shape)
    assert found is not None, "no images"
    limits = min(0.0, float(np.nanmin(values))), float(np.nanmax(values))
    enlarged = max(1, _LARGE // max(found.height, found.width))
    return part("picture", grid_uri(values, shape, limits, across, enlarged), words)


def _shape(records: RunRecords) -> list[int]:
    """The shape of an example while the run has not ended."""
    return [int(size) for size in records.samples[-1].get("row_shape", [])] if records.samples else []
