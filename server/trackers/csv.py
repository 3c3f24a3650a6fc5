"""A CSV file with a row per round."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from common.errors import InputError
from common.run_files import Metrics
from common.scenario.tracking import CsvTracking
from common.whole_files import write_whole
from server.trackers.base import Tracked, Tracker
from server.trackers.places import place_of


class CsvTracker(Tracker):
    """Keeps the file whole: it is written anew where a round brings a number that no round had before."""

    def __init__(self, spec: CsvTracking, run: Tracked) -> None:
        """Begin with the rounds that the run had before. Raises InputError where the file cannot be written."""
        self._path = run.folder / "metrics.csv" if spec.folder is None else Path(spec.folder)
        self._rows: list[Metrics] = []
        self._columns: dict[str, None] = {"round": None}
        try:
            if spec.folder is not None:
                self._path = place_of(run.folder, Path(spec.folder), ".csv")
            self._add(run.history)
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written ({error.strerror})") from None

    def on_round_end(self, metrics: Metrics) -> None:
        """Add a row."""
        self._add([metrics])

    def _add(self, rows: list[Metrics]) -> None:
        self._rows += rows
        known = len(self._columns)
        self._columns |= dict.fromkeys(name for row in rows for name in row)
        if len(self._columns) > known or not self._path.exists() or len(rows) != 1:
            write_whole(self._path, self._text(self._rows, header=True).encode())
        else:
            with self._path.open("a", encoding="utf-8", newline="") as file:
                file.write(self._text(rows, header=False))

    def _text(self, rows: list[Metrics], header: bool) -> str:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(self._columns), lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()
