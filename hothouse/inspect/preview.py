"""What a scenario's federation looks like before anything is trained: a page, and a table for the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from rich.table import Table as TerminalTable

from common import seeds
from common.data import Prepared
from common.data.column_statistics import effective_labels, gini, label_counts, label_entropies, target_percentiles
from common.data.documents import document_texts
from common.data.prepared import Indices
from common.data.tokens import shown_token
from common.scenario import Scenario
from hothouse.inspect import side_by_side
from hothouse.inspect.augmented import AugmentedData, AugmentedExample
from hothouse.report.figures import client_names, label_map, shard_sizes, target_boxes
from hothouse.report.page import Page
from hothouse.report.parts import code, facts, paragraph, part, table
from hothouse.results.images import data_uri, is_image

_CLIENTS, _EXAMPLES, _DOCUMENTS = 6, 8, 3
"""How many clients, and examples or documents of each, are looked at closely."""
_LETTERS = 300
_COLUMNS = 12
"""Columns of a table that are shown."""
_CLOSEST, _SEEN, _ROUNDS = 3, 5, 3
"""How many clients, examples of each and rounds are shown of augmentation."""
_LINES = 20
"""Clients in the terminal's table."""


@dataclass
class Preview:
    """A scenario's data, looked at."""

    scenario: Scenario
    prepared: Prepared

    @cached_property
    def counts(self) -> Indices:
        """Rows of each label at each client, (clients, labels); without labels for a regression."""
        return label_counts(self.prepared)

    def numbers(self) -> list[tuple[str, Any]]:
        """The numbers people quote."""
        prepared = self.prepared
        sizes = prepared.training_sizes + prepared.holdout_sizes
        told: list[tuple[str, Any]] = [
            ("clients", len(prepared.clients)),
            ("examples to train on", int(prepared.training_sizes.sum())),
            ("held-out examples", int(prepared.holdout_sizes.sum())),
            ("test examples", len(prepared.test)),
            ("validation examples", len(prepared.validation)),
            ("smallest shard", int(sizes.min())),
            ("median shard", float(np.median(sizes))),
            ("largest shard", int(sizes.max())),
            ("size Gini", round(gini(sizes), 4)),
        ]
        if prepared.meta.labels:
            told += [
                ("labels", len(prepared.meta.labels)),
                ("mean label entropy (nats)", round(float(label_entropies(self.counts).mean()), 4)),
                ("effective labels per client", round(float(effective_labels(self.counts).mean()), 3)),
            ]
        return told

    def terminal(self) -> list[TerminalTable]:
        """The numbers, and the first clients one by one."""
        summary = TerminalTable(title=f"{self.scenario.name}: the federation", show_header=False)
        summary.add_column()
        summary.add_column(justify="right")
        for name, value in self.numbers():
            summary.add_row(name, f"{value:,}" if isinstance(value, int) else f"{value:g}")
        clients = TerminalTable(title="Clients")
        for column in ("client", "to train on", "held out", "labels, most frequent first"):
            clients.add_column(column, justify="left" if column.startswith(("client", "labels")) else "right")
        names = client_names(self.prepared)
        for place in range(min(_LINES, len(names))):
            training, held = self.prepared.training_sizes[place], self.prepared.holdout_sizes[place]
            clients.add_row(names[place], str(training), str(held), self._mix(place))
        if len(names) > _LINES:
            clients.caption = f"and {len(names) - _LINES:,} more"
        return [summary, clients]

    def page(self) -> Page:
        """The page."""
        prepared, meta = self.prepared, self.prepared.meta
        names = client_names(prepared)
        page = Page(f"Preview of {self.scenario.name}", paragraph(self._what()))
        page.section("At a glance", facts(self.numbers()), *(paragraph(f"Note: {hint}") for hint in meta.hints))
        sizes = shard_sizes(names, prepared.training_sizes, prepared.holdout_sizes)
        parts = [page.figure(sizes, f"Examples of each of {len(names)} clients")]
        if meta.labels:
            picture = label_map(names, meta.labels, self.counts)
            parts.insert(0, page.figure(picture, "Share of each label in each client's examples", 420))
        else:
            boxes = target_boxes(names, target_percentiles(prepared, prepared.clients))
            parts.insert(0, page.figure(boxes, "Targets of each client's examples"))
        page.section("Data by client", *parts)
        page.section("A few examples", *self._columns_left_out(), *self._samples())
        if self.scenario.training.augmentation:
            page.section("Augmented examples", *self._augmented())
        from common.scenario import dump_scenario

        page.section("Scenario", code(dump_scenario(self.scenario)))
        return page

    def _what(self) -> str:
        data = self.scenario.data
        return f"{data.source.kind} data, cut by {data.partition.scheme}, seed {self.scenario.seed}."

    def _mix(self, place: int) -> str:
        """A client's labels with their shares, the most frequent first."""
        if not self.prepared.meta.labels:
            return "–"
        counts = self.counts[place]
        order = [code for code in np.argsort(-counts, kind="stable").tolist() if counts[code]]
        told = [
            f"{shown_token(self.prepared.meta.labels[code])} ({counts[code] / counts.sum():.0%})" for code in order[:3]
        ]
        return ", ".join(told) + (f", {len(order) - 3} more" if len(order) > 3 else "")

    def _samples(self) -> list[Markup]:
        """A few examples of a few clients, in the form that suits them."""
        names, parts = client_names(self.prepared), []
        places = np.unique(np.linspace(0, len(names) - 1, _CLIENTS).astype(int))
        for place in places.tolist():
            client = int(self.prepared.clients[place])
            positions = self.prepared.training_examples(client)
            if self.prepared.meta.sequence is not None:
                texts = islice(document_texts(self.prepared, positions), _DOCUMENTS)
                parts += [part("heading", f"client {names[place]}"), *(code(text[:_LETTERS]) for text in texts)]
                continue
            draw = seeds.generator(self.scenario.seed, "preview", client)
            chosen = np.sort(draw.choice(positions, min(_EXAMPLES, len(positions)), replace=False))
            parts += [part("heading", f"client {names[place]}"), self._sample(chosen)]
        return parts

    def _columns_left_out(self) -> list[Markup]:
        """Says so where a table is wider than what is shown of it."""
        meta, there = self.prepared.meta, self.prepared.x.shape[1]
        if meta.text is not None or is_image(meta.row_shape) or there <= _COLUMNS:
            return []
        return [paragraph(f"Of {there} columns the first {_COLUMNS} are shown.")]

    def _augmented(self) -> list[Markup]:
        """A few training examples of a few clients beside what augmentation makes of them."""
        names, augmented = client_names(self.prepared), AugmentedData(self.scenario, self.prepared)
        kinds = ", ".join(spec.kind for spec in self.scenario.training.augmentation)
        parts = [
            paragraph(f"Examples as they are, and as their client sees them in the first epoch of a round: {kinds}.")
        ]
        for place in np.unique(np.linspace(0, len(names) - 1, _CLOSEST).astype(int)).tolist():
            client = int(self.prepared.clients[place])
            positions = self.prepared.training_examples(client)[:_SEEN]
            answers = [self._answer(position) for position in positions.tolist()]
            seen = augmented.seen(client, positions, _ROUNDS)
            parts += [part("heading", f"client {names[place]}"), self._side_by_side(seen, answers)]
        return parts

    def _side_by_side(self, seen: list[AugmentedExample], answers: list[str]) -> Markup:
        meta = self.prepared.meta
        if meta.text is not None:
            return side_by_side.texts(seen, answers)
        if is_image(meta.row_shape):
            return side_by_side.pictures(seen, answers, meta.row_shape, self._limits())
        return side_by_side.numbers(seen, answers, self._head(), self._cells)

    def _sample(self, positions: Indices) -> Markup:
        prepared, meta = self.prepared, self.prepared.meta
        if meta.text is not None:
            texts = prepared.texts
            return table(
                ["label", "text"], [(self._answer(position), texts[position][:300]) for position in positions.tolist()]
            )
        if is_image(meta.row_shape):
            limits = self._limits()
            sources = [data_uri(prepared.x[position], meta.row_shape, limits) for position in positions.tolist()]
            answers = [self._answer(position) for position in positions.tolist()]
            pairs = zip(sources, answers, strict=True)
            return part(
                "pictures", [part("captioned", one, f"an example labelled {label}", label) for one, label in pairs]
            )
        lines = [[self._answer(position), *self._cells(prepared.x[position])] for position in positions.tolist()]
        return table(["target", *self._head()], lines)

    def _head(self) -> list[str]:
        """The names of a table's first columns."""
        names = [column.name for column in self.prepared.meta.columns]
        return (names or [f"x{n}" for n in range(self.prepared.x.shape[1])])[:_COLUMNS]

    def _cells(self, row: NDArray[Any]) -> list[Any]:
        """A table's example as people read it, its first columns."""
        columns = self.prepared.meta.columns
        cells: list[Any] = []
        for index, value in enumerate(row[:_COLUMNS].tolist()):
            categories = columns[index].categories if columns else None
            if value != value:
                cells.append(None)
            else:
                cells.append(categories[int(value)] if categories is not None else value)
        return cells

    def _answer(self, position: int) -> str:
        answer = self.prepared.y[position]
        labels = self.prepared.meta.labels
        return str(labels[int(answer)]) if labels else ", ".join(f"{number:g}" for number in answer.tolist())

    def _limits(self) -> tuple[float, float]:
        if self.prepared.meta.scaling == "bytes" or self.prepared.x.dtype == np.uint8:
            return 0.0, 255.0
        some = self.prepared.x[:: max(1, len(self.prepared.x) // 1000)]
        return float(np.nanmin(some)), float(np.nanmax(some))
