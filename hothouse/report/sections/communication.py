"""What travelled: bytes down and up, and what they bought."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from hothouse.report.curves import curves, line
from hothouse.report.page import COLOURS, Page, size
from hothouse.report.parts import facts, paragraph, side_by_side
from hothouse.report.sections.learning import COLOUR
from hothouse.results.records import SPLITS, RunRecords, display_name, display_title


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """Bytes so far after each round, and the metric against them."""
    rounds = records.metrics
    if len(rounds) < 2:
        return []
    down = np.cumsum([entry["bytes_down"] for entry in rounds])
    up = np.cumsum([entry["bytes_up"] for entry in rounds])
    unit, scale = _unit(float(down[-1] + up[-1]))
    numbers = [entry["round"] for entry in rounds]
    traces = [
        {**line(numbers, _short(total / scale), name, colour, unit=f" {unit}"), "stackgroup": "bytes"}
        for name, total, colour in (("down to clients", down, COLOURS[0]), ("up to the server", up, COLOURS[1]))
    ]
    told: list[tuple[str, Any]] = [
        ("down to clients", size(float(down[-1]))),
        ("up to the server", size(float(up[-1]))),
    ]
    evaluation = sum(entry.get("bytes_evaluation", 0) for entry in rounds)
    trained = sum(entry["clients"] for entry in rounds)
    if trained:
        told.append(("per client and round", size(float(down[-1] + up[-1]) / trained)))
    if evaluation:
        told.append(("beside these, for evaluation", size(float(evaluation))))
    figures = [page.figure(curves(traces, "round", unit), "Bytes sent so far after each round", 340, "bytes")]
    if records.primary is not None:
        so_far = dict(zip(numbers, _short((down + up) / scale), strict=True))
        against = []
        for split in SPLITS:
            at, values = records.column(f"{split}_{records.primary[0]}")
            if at:
                against.append(line([so_far[number] for number in at], values, display_name(split), COLOUR[split]))
        title = f"{display_title(records.primary[0])} against bytes sent"
        figures.append(page.figure(curves(against, unit, display_name(records.primary[0])), title, 340, "metric-bytes"))
    lead = (
        "Counted as if every client were a device of its own: the numbers of its messages, without their envelopes. "
        "Judging, losses and statistics that rounds need are in it; evaluation is told apart."
    )
    return [paragraph(lead), facts(told), side_by_side(*figures)]


def _unit(most: float) -> tuple[str, float]:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if most >= scale:
            return unit, scale
    return "B", 1.0


def _short(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values.tolist()]
