"""A CSV file with a row per round."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from common.errors import InputError
from common.extend.tracker import TrackedRun, Tracker
from common.run_files import Metrics
from common.scenario.base import FilePath, key
from common.scenario.tracking import TrackerPart
from common.trackers.places import place_of
from common.whole_files import write_whole


class CsvTracking(TrackerPart, name="csv", runs=":CsvTracker"):
    """A CSV file with a row per round, for spreadsheets."""

    folder: FilePath | None = key(
        "Where to put NAME.csv, named as the run's folder; metrics.csv in the run's own folder if left out.", None
    )


class CsvTracker(Tracker):
    """Keeps the file whole: it is written anew where a round brings a number that no round had before."""

    def __init__(self, spec: CsvTracking, run: TrackedRun) -> None:
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
