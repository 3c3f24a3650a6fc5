"""What a run's folder tells by now, whether the run has ended or not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from common.errors import InputError
from common.extend.leaderboard import CHAMPION
from common.metrics import primaries
from common.run_files import Entry, read_lines, read_metrics, read_object, read_text
from common.scenario.document import parse_document
from common.scenario.metrics import METRICS

SPLITS = ("test", "validation", "holdout", "personal")
"""What is measured on what, the best-founded first."""

FAIRNESS = {
    "mean": "mean",
    "worst_10": "worst tenth",
    "best_10": "best tenth",
    "variance": "variance",
    "jain": "Jain's index",
}
"""What is quoted of a metric over clients, as `common.metrics.fairness` names it, and what it is called."""

_WORDS = {
    "holdout": "held-out",
    "train": "training",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "kl": "KL divergence",
    "elbo": "ELBO",
}


def display_name(name: str) -> str:
    """What a metric, or a part of its name, is called: `holdout_rmse` is held-out RMSE."""
    return " ".join(_WORDS.get(part, part) for part in name.split("_"))


def display_title(name: str) -> str:
    """The same at the beginning of a sentence."""
    told = display_name(name)
    return told[:1].upper() + told[1:]


NO_RUN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What reading as a run something that is none may raise."""


@contextmanager
def naming_folder(folder: Path) -> Iterator[None]:
    """Turn what the files of a run raise that are not what a run writes into an InputError that names the folder."""
    try:
        yield
    except NO_RUN as error:
        logging.getLogger("hothouse.report").debug("%s cannot be read", folder, exc_info=True)
        told = f"{type(error).__name__}: {error}"
        raise InputError(f"{folder}: its files are damaged, or are not those of a run ({told})") from error


@dataclass(frozen=True)
class RunRecords:
    """A run's files, read when they are asked for; what is not there yet is empty."""

    folder: Path
    moving_to: Path | None = None
    """Where the folder will be when somebody reads what is told of it, if that is elsewhere."""

    @property
    def home(self) -> Path:
        """What a page calls the folder."""
        return self.moving_to or self.folder

    @cached_property
    def summary(self) -> Entry:
        """summary.json."""
        return read_object(self.folder / "summary.json")

    @cached_property
    def scenario(self) -> Entry:
        """scenario.yaml as plain values, so that a run of another version can be shown too."""
        found = parse_document(self.scenario_text, str(self.folder / "scenario.yaml")).values
        if not isinstance(found, dict):
            raise InputError(f"{self.folder / 'scenario.yaml'}: expected a mapping of keys")
        return found

    @cached_property
    def scenario_text(self) -> str:
        """scenario.yaml."""
        return read_text(self.folder / "scenario.yaml")

    @cached_property
    def metrics(self) -> list[Entry]:
        """metrics.jsonl."""
        return read_metrics(self.folder / "metrics.jsonl")

    @cached_property
    def events(self) -> list[Entry]:
        """events.jsonl."""
        return read_lines(self.folder / "events.jsonl")

    @cached_property
    def federation(self) -> Entry:
        """federation.json."""
        return read_object(self.folder / "federation.json")

    @cached_property
    def clients(self) -> list[Entry]:
        """clients.jsonl."""
        return read_lines(self.folder / "clients.jsonl")

    @cached_property
    def workers(self) -> list[Entry]:
        """workers.jsonl."""
        return read_lines(self.folder / "workers.jsonl")

    @cached_property
    def ladder(self) -> list[Entry]:
        """ladder.jsonl."""
        return read_lines(self.folder / "ladder.jsonl")

    @cached_property
    def final(self) -> Entry:
        """final.json."""
        return read_object(self.folder / "final.json")

    @cached_property
    def generated(self) -> Entry:
        """generated.json."""
        return read_object(self.folder / "generated.json")

    @cached_property
    def samples(self) -> list[Entry]:
        """samples.jsonl."""
        return read_lines(self.folder / "samples.jsonl")

    @cached_property
    def primary(self) -> tuple[str, bool] | None:
        """The metric the task is judged by, and whether more of it is better."""
        for metric in primaries():
            if any(f"{split}_{metric.name}" in line for line in self.metrics for split in SPLITS):
                return metric.name, metric.more_is_better
        return None

    @cached_property
    def own_metrics(self) -> dict[str, bool]:
        """The metrics of the scenario's own, and whether more of each is better."""
        found = self.summary.get("more_is_better", {})
        return {str(name): bool(value) for name, value in found.items()}

    @cached_property
    def network_metrics(self) -> list[str]:
        """The metrics that only some networks and examples have: those measured that are not all of the task's."""
        columns = {name: None for line in self.metrics for name in line}
        starts = tuple(f"{split}_" for split in SPLITS)
        names = (name.partition("_")[2] for name in columns if name.startswith(starts))
        known = {*(name for name, metric in METRICS.built_in.items() if not metric.of_some), *self.own_metrics}
        return list(dict.fromkeys(name for name in names if name not in known and not name.endswith(tuple(FAIRNESS))))

    @cached_property
    def judged(self) -> str | None:
        """The name of the best-founded column with that metric, such as test_accuracy."""
        if self.primary is None:
            return None
        names = (f"{split}_{self.primary[0]}" for split in SPLITS)
        return next((name for name in names if any(name in line for line in self.metrics)), None)

    @cached_property
    def evaluated(self) -> list[Entry]:
        """The lines of clients.jsonl with what the clients measured."""
        return [line for line in self.clients if "holdout" in line]

    def column(self, name: str) -> tuple[list[int], list[float]]:
        """The rounds that have a metric, and its values."""
        known = [(line["round"], line[name]) for line in self.metrics if line.get(name) is not None]
        return [number for number, _ in known], [value for _, value in known]

    def name_of(self, client: int) -> str:
        """What a client is called: its natural name, or its id."""
        return "the champion" if client == CHAMPION else self._names.get(client, str(client))

    @property
    def status(self) -> str:
        """complete, incomplete or, where nothing says that it ended, running."""
        reason = self.summary.get("reason", "")
        return "running" if reason == "the run has not ended" else str(self.summary.get("status", "incomplete"))

    @cached_property
    def _names(self) -> dict[int, str]:
        names = self.federation.get("names") or []
        return dict(zip(self.federation.get("shown", []), names, strict=False))


def read(folder: str | Path) -> RunRecords:
    """The records in a run's folder. Raises InputError where there is none."""
    folder = Path(folder)
    if not (folder / "summary.json").is_file() or not (folder / "scenario.yaml").is_file():
        raise InputError(f"{folder}: expected a run's folder, found no summary.json there")
    return RunRecords(folder)
