"""The run's folder: what a run leaves behind, complete or marked incomplete."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from common.metrics import PRIMARY
from common.models.predictor import Predictor, to_bytes
from common.scenario import Scenario, dump_scenario
from server.checkpoints import write_whole
from server.observers import Metrics
from server.resume import Resumed


class Recorder:
    """Writes scenario.yaml, metrics.jsonl, events.jsonl, model.safetensors and summary.json as the run goes.

    Used as a context: until it is left without an error, summary.json says `incomplete`. A resumed run's lines
    go on after those of the rounds it goes on from.
    """

    def __init__(self, folder: Path, scenario: Scenario, resumed: Resumed | None = None) -> None:
        self.folder = folder
        self._scenario = scenario
        self._history: list[Metrics] = list(resumed.history) if resumed else []
        self._past_events = resumed.events if resumed else []

    def __enter__(self) -> Recorder:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / "scenario.yaml", dump_scenario(self._scenario).encode())
        write_whole(self.folder / "metrics.jsonl", _lines(self._history))
        write_whole(self.folder / "events.jsonl", _lines(self._past_events))
        self._metrics = (self.folder / "metrics.jsonl").open("a")
        self._events = (self.folder / "events.jsonl").open("a")
        self._summarize("incomplete", "the run has not ended")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._metrics.close()
        self._events.close()
        if kind is None:
            self._summarize("complete")
        elif issubclass(kind, KeyboardInterrupt):
            self._summarize("incomplete", "interrupted")
        else:
            self._summarize("incomplete", str(error) or kind.__name__)

    def started(self, rounds: int, clients: int, parameters: int) -> None:
        """Nothing is written yet."""

    def round_ended(self, metrics: Metrics) -> None:
        """Append a line to metrics.jsonl."""
        self._history.append(metrics)
        _append(self._metrics, metrics)

    def happened(self, event: str, round_number: int, details: dict[str, Any]) -> None:
        """Append a line to events.jsonl."""
        _append(self._events, {"round": round_number, "event": event, **details})

    def finished(self, model: Predictor) -> None:
        """Write model.safetensors."""
        write_whole(self.folder / "model.safetensors", to_bytes(model))

    def _summarize(self, status: str, reason: str = "") -> None:
        seconds = sum(entry["seconds"] for entry in self._history)
        trained = sum(entry["clients"] for entry in self._history)
        training = sum(entry["seconds"] for entry in self._history if entry["round"])
        summary = {
            "name": self._scenario.name,
            "status": status,
            **({"reason": reason} if reason else {}),
            "rounds": self._history[-1]["round"] if self._history else 0,
            "final": self._history[-1] if self._history else {},
            "best": self._best(),
            "seconds": round(seconds, 3),
            "client_updates_per_second": round(trained / training, 3) if training else 0.0,
            "seed": self._scenario.seed,
            "versions": _versions(),
        }
        write_whole(self.folder / "summary.json", (json.dumps(_plain(summary), indent=2) + "\n").encode())

    def _best(self) -> Metrics | None:
        """The round with the best validation metric, else the best on held-out rows: never on test rows."""
        for split in ("validation", "holdout"):
            for name, more_is_better in PRIMARY.values():
                key = f"{split}_{name}"
                rounds = [entry for entry in self._history if math.isfinite(entry.get(key, math.nan))]
                if rounds:
                    sign = -1 if more_is_better else 1
                    return {**min(rounds, key=lambda entry: sign * entry[key]), "by": key}
        return None


def _versions() -> dict[str, str]:
    names = ("hothouse", "flwr", "ray", "torch", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _append(file: TextIO, entry: dict[str, Any]) -> None:
    file.write(json.dumps(_plain(entry)) + "\n")
    file.flush()


def _lines(entries: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(_plain(entry)) + "\n" for entry in entries).encode()


def _plain(value: Any) -> Any:
    """JSON has no NaN or infinity: they become null."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
