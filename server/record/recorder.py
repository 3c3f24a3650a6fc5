"""The run's folder: what a run leaves behind, complete or marked incomplete."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from common.errors import RunError
from common.extend.events import Event, Notice, Observer, RunStarted
from common.models.model_file import to_bytes
from common.models.predictor import Predictor
from common.run_files import Metrics
from common.scenario import Scenario, keep_scenario
from common.whole_files import write_whole
from server.record.journal import JsonLinesFile, as_json
from server.record.resume import Resumed
from server.record.summary import summarize


class Recorder(Observer):
    """Writes scenario.yaml, metrics.jsonl, events.jsonl, model.safetensors and summary.json as the run goes.

    Used as a context: until it is left without an error, summary.json says `incomplete`. A resumed run's lines
    go on after those of the rounds it goes on from. Files that cannot be written while the run goes on are
    written in the end; where even that fails, RunError says so.
    """

    def __init__(self, folder: Path, scenario: Scenario, resumed: Resumed | None = None) -> None:
        self.folder, self._scenario = folder, scenario
        self._resumed = resumed or Resumed(None, [], [])
        self._model: bytes | None = None
        self._facts: dict[str, Any] = {}

    def __enter__(self) -> Recorder:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._describe()
        self._metrics = JsonLinesFile(self.folder / "metrics.jsonl", self._resumed.history)
        self._events = JsonLinesFile(self.folder / "events.jsonl", self._resumed.events)
        self._summarize(self._resumed.history, "incomplete", "the run has not ended")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            history = self._metrics.entries()
            self._metrics.close()
            self._events.close()
            if not (self.folder / "scenario.yaml").exists():
                self._describe()
            if self._model is not None:
                write_whole(self.folder / "model.safetensors", self._model)
            if kind is None:
                self._summarize(history, "complete")
            elif issubclass(kind, KeyboardInterrupt):
                self._summarize(history, "incomplete", "interrupted")
            else:
                self._summarize(history, "incomplete", str(error) or kind.__name__)
        except OSError as full:
            raise RunError(f"the run's results cannot be written: {full.filename}: {full.strerror}") from error

    def on_event(self, event: Event) -> None:
        """Note how large the federation and the model are and what was chosen; append a line to events.jsonl."""
        match event:
            case RunStarted():
                self._facts |= {"clients": len(event.clients), "parameters": event.parameters, **event.facts}
            case Notice():
                if event.name == "stopped":
                    self._facts["stopped"] = event.details["reason"]
                self._events.append({"round": event.round, "event": event.name, **event.details})

    def on_round_end(self, metrics: Metrics) -> None:
        """Append a line to metrics.jsonl."""
        self._metrics.append(metrics)

    def on_end(self, model: Predictor) -> None:
        """Keep the model to be written."""
        self._model = to_bytes(model)

    def _describe(self) -> None:
        keep_scenario(self._scenario, self.folder / "scenario.yaml")

    def _summarize(self, history: list[Metrics], status: str, reason: str = "") -> None:
        summary = summarize(self._scenario, history, status, reason) | self._facts
        releases = history[-1].get("releases", 0) if history else 0
        if releases and "clients" in self._facts:
            # The accountants take a while to import.
            from server.accounting import run_statements

            summary["privacy"] = run_statements(self._scenario, self._facts["clients"], releases)
        write_whole(self.folder / "summary.json", (as_json(summary, indent=2) + "\n").encode())
