"""The federation at a glance: which labels and how many examples each client has."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from common.data.column_statistics import effective_labels, gini
from hothouse.report.figures import label_map, shard_sizes, target_boxes
from hothouse.report.page import Page
from hothouse.report.parts import facts, paragraph, side_by_side, table
from hothouse.results.records import RunRecords

_MOST_LINES = 200


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """Labels by clients, or the spread of targets, and the shards' sizes."""
    told = records.federation
    if not told:
        return []
    names = [records.name_of(client) for client in told["shown"]]
    training, holdout = np.array(told["training_rows"]), np.array(told["holdout_rows"])
    sizes = training + holdout
    numbers: list[tuple[str, Any]] = [
        ("clients", told["clients"]),
        ("smallest shard", int(sizes.min())),
        ("median shard", float(np.median(sizes))),
        ("largest shard", int(sizes.max())),
        ("size Gini", round(gini(sizes), 3)),
    ]
    figures = [
        page.figure(
            shard_sizes(names, training, holdout),
            f"Examples of each of {len(names)} clients",
            360,
            "shard-sizes",
            _table(names, training, holdout),
        )
    ]
    if "label_rows" in told:
        counts = np.array(told["label_rows"])
        numbers.append(("effective labels per client", round(float(effective_labels(counts).mean()), 2)))
        summary = "Share of each label in each client's examples"
        figures.insert(0, page.figure(label_map(names, told["labels"], counts), summary, 360, "label-map"))
    elif "targets" in told:
        boxes = target_boxes(names, np.array(told["targets"], dtype=float))
        figures.insert(0, page.figure(boxes, "Targets of each client's examples", 360, "targets"))
    some = f"Of {told['clients']:,} clients, {len(names):,} evenly spaced ones are shown here and below."
    return [facts(numbers), *([paragraph(some)] if told["clients"] > len(names) else []), side_by_side(*figures)]


def _table(names: list[str], training: np.ndarray, holdout: np.ndarray) -> Markup:
    rows = list(zip(names, training.tolist(), holdout.tolist(), strict=True))[:_MOST_LINES]
    return table(["client", "training examples", "held-out examples"], rows)
