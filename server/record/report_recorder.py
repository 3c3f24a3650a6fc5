"""What the report shows beyond the rounds' metrics: who the clients are, what became of each, what workers did.

| file | |
|---|---|
| `federation.json` | the clients: their names, their examples, their labels |
| `clients.jsonl` | a line per round: who trained and with what loss, what each measured on its held-out examples |
| `workers.jsonl` | a line per round: how long each worker worked, in how many messages |
| `ladder.jsonl` | a line per round in which networks competed: see `common.extend.leaderboard` |
| `samples.jsonl` | a line for some of the rounds of a generative model: what it makes |
| `generated.json` | what the final model makes, where it is a generative one: see `server.evaluation.generation` |
| `final.json` | what the final model gets wrong on the server's examples: see `server.evaluation.final` |

Of more than 1,000 clients, 1,000 evenly spaced ones are told of, so that files stay small however large the
federation. Numbers have six digits that count.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np

from common.data import Prepared
from common.data.column_statistics import label_counts, target_percentiles
from common.data.prepared import Indices
from common.data.tokens import shown_token
from common.errors import RunError
from common.extend.events import Event, Observer, RoundReport, RunStarted, WorkerEvent
from common.models.predictor import Predictor
from common.run_files import Metrics, read_lines
from common.scenario import Scenario
from common.whole_files import write_whole
from common.wording import short
from server.evaluation.due import is_due
from server.evaluation.final import final
from server.record.journal import Entry, JsonLinesFile, as_json
from server.record.resume import Resumed

_OF_THE_END = ("final.json", "generated.json")
_MOST_CLIENTS = 1000
_MOST_LABELS = 100


class ReportRecorder(Observer):
    """Writes the files above into a run's folder as the run goes.

    A resumed run's lines continue after those of the rounds it continues from, and what is written does not depend on
    how often the run was resumed or who computed it, workers.jsonl apart.
    """

    def __init__(self, folder: Path, scenario: Scenario, prepared: Prepared, resumed: Resumed | None = None) -> None:
        self.folder, self._scenario, self._prepared = folder, scenario, prepared
        self._after = resumed.state.round if resumed and resumed.state else -1
        self._shown: Indices = np.empty(0, np.int64)
        self._files: dict[str, bytes] = {}
        self._busy: dict[int, tuple[float, int]] = {}

    def __enter__(self) -> ReportRecorder:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in _OF_THE_END:
            (self.folder / name).unlink(missing_ok=True)
        self._clients = self._journal("clients")
        self._workers = self._journal("workers")
        self._ladder = self._journal("ladder") if self._past("ladder") else None
        self._samples = self._journal("samples") if self._past("samples") else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for journal in (self._clients, self._workers, self._ladder, self._samples):
                if journal is not None:
                    journal.close()
            for name, content in self._files.items():
                if name in _OF_THE_END or not (self.folder / name).exists():
                    write_whole(self.folder / name, content)
        except OSError as full:
            raise RunError(f"the run's results cannot be written: {full.filename}: {full.strerror}") from error

    def on_event(self, event: Event) -> None:
        """Write down who the clients are, what became of each in a round, and add up how long workers worked."""
        match event:
            case RunStarted():
                self._describe(event)
            case WorkerEvent(seconds=float()):
                seconds, messages = self._busy.get(event.worker, (0.0, 0))
                self._busy[event.worker] = seconds + (event.seconds or 0.0), messages + 1
            case RoundReport():
                self._report(event)

    def _describe(self, federation: RunStarted) -> None:
        places = np.unique(np.linspace(0, len(federation.clients) - 1, _MOST_CLIENTS).astype(np.int64))
        self._shown = federation.clients[places]
        told: Entry = {
            "clients": len(federation.clients),
            "shown": self._shown.tolist(),
            "training_rows": federation.training_sizes[places].tolist(),
            "holdout_rows": federation.holdout_sizes[places].tolist(),
            **self._describe_examples(),
        }
        self._files["federation.json"] = as_json(told).encode()
        with suppress(OSError):  # a disk that is full now may not be in the end
            write_whole(self.folder / "federation.json", self._files["federation.json"])

    def _report(self, report: RoundReport) -> None:
        """Append a line to clients.jsonl and, where networks competed, to ladder.jsonl."""
        here, held = np.isin(report.clients, self._shown), np.isin(report.holders, self._shown)
        entry = {
            "round": report.round,
            "clients": report.clients[here].tolist(),
            "train_loss": short(report.train_loss[here]),
        }
        if held.any():
            entry["holders"] = report.holders[held].tolist()
            entry["holdout"] = {name: short(values[held]) for name, values in report.holdout.items()}
        if held.any() and report.personal:
            entry["personal"] = {name: short(values[held]) for name, values in report.personal.items()}
        self._clients.append(entry)
        if report.samples is not None:
            self._samples = self._samples or self._journal("samples")
            self._samples.append({"round": report.round, **report.samples})
        if report.leaderboard is not None:
            self._ladder = self._ladder or self._journal("ladder")
            self._ladder.append(report.leaderboard.line(report.round))

    def on_round_end(self, metrics: Metrics) -> None:
        """Append a line to workers.jsonl."""
        workers = range(max(self._busy, default=-1) + 1)
        done = [self._busy.get(worker, (0.0, 0)) for worker in workers]
        self._busy.clear()
        if done:
            seconds = [round(seconds, 6) for seconds, _ in done]
            self._workers.append({"round": metrics["round"], "seconds": seconds, "messages": [n for _, n in done]})

    def on_end(self, model: Predictor) -> None:
        """Look at what the final model gets wrong or, where it learned the examples themselves, what it makes."""
        found: Entry | None
        if model.data_spec.task == "generation":
            # It takes torch.func, which takes a while to import.
            from server.evaluation.generation import made_by

            name, found = "generated.json", made_by(model, self._prepared, self._scenario.seed)
        else:
            name, found = "final.json", final(model, self._prepared, self._scenario.evaluation.batch_size)
        if found is not None:
            self._files[name] = as_json({"round": self._scenario.federation.rounds, **found}).encode()

    def _describe_examples(self) -> Entry:
        """What can be said of examples that are here; a server without its clients' examples says nothing."""
        prepared, meta = self._prepared, self._prepared.meta
        if not np.isin(self._shown, prepared.clients).all():
            return {}
        told: Entry = {"names": [meta.clients[client] for client in self._shown.tolist()] if meta.clients else []}
        if not meta.labels:
            return told | {"targets": target_percentiles(prepared, self._shown).tolist()}
        counts = label_counts(prepared, self._shown)
        frequent = np.sort(np.argsort(-counts.sum(axis=0), kind="stable")[:_MOST_LABELS])
        return told | {
            "labels": [shown_token(meta.labels[code]) for code in frequent.tolist()],
            "label_rows": counts[:, frequent].tolist(),
        }

    def _journal(self, name: str) -> JsonLinesFile:
        return JsonLinesFile(self.folder / f"{name}.jsonl", self._past(name))

    def _past(self, name: str) -> list[Entry]:
        """The lines of the rounds before this start, as they would be had the run not been meant to end there."""
        past = [line for line in read_lines(self.folder / f"{name}.jsonl") if line["round"] <= self._after]
        if past and past[-1]["round"] == self._after and not is_due(self._scenario, self._after):
            past[-1] = {key: value for key, value in past[-1].items() if key not in ("holders", "holdout", "personal")}
        return past
