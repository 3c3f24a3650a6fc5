"""What every part promises, tried on a user's own: `hothouse test-part`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args, get_origin

import numpy as np
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from common.errors import InputError, RunError
from common.extend.events import Event, Notice, Observer
from common.run_files import Metrics
from common.scenario.augmentation import TextAugmentation
from common.scenario.base import Part
from common.scenario.model import ModelPart
from common.scenario.registry import FAMILIES
from common.scenario.uses import read_uses
from hothouse.running.finished import Run
from hothouse.running.launch import Engine, resume, run

_ROUNDS = 3
_MOST_LIMITS = 12
"""Options at their limits that are tried of a part."""
_PLACES = {
    "strategies": "federation.strategy",
    "selections": "federation.selection",
    "optimizers": "training.optimizer",
    "losses": "training.loss",
    "schedules": "training.schedule[]",
    "augmentations": "training.augmentation[]",
    "models": "model",
    "activations": "model.activation",
    "normalizations": "model.normalization",
    "initializations": "model.initialization",
    "sources": "data.source",
    "partitions": "data.partition",
    "skews": "data.skew[]",
    "trackers": "tracking[]",
    "callbacks": "callbacks[]",
    "metrics": "evaluation.metrics[]",
}
"""Where a scenario names a part of each family; `[]` for a list of parts."""
_TIMES = ("seconds", "training_seconds", "aggregation_seconds", "evaluation_seconds", "checkpoint_seconds")


@dataclass(frozen=True)
class Check:
    """A promise, and whether a part keeps it."""

    part: str
    promise: str
    reason: str = ""
    """Why it does not; empty where it does."""


class _Watch(Observer):
    """Copies the run's folder as rounds end, and notes what is warned of and who is left out."""

    def __init__(self, folder: Path, album: Path | None = None) -> None:
        self._folder, self._album = folder, album
        self.warnings: list[str] = []
        self.excluded: set[int] = set()

    def on_event(self, event: Event) -> None:
        """Note warnings and clients that were left out."""
        if isinstance(event, Notice) and event.name == "warning":
            self.warnings.append(str(event.details.get("reason")))
        if isinstance(event, Notice) and event.name == "excluded":
            self.excluded |= set(event.details["clients"])

    def on_round_end(self, metrics: Metrics) -> None:
        """Copy the folder: what would be left had the run been killed now."""
        if self._album is not None:
            shutil.copytree(self._folder, self._album / str(metrics["round"]))


def check_parts(file: str, overrides: Sequence[str] = (), full: bool = False) -> Iterator[Check]:
    """Try every part that a file, or an installed module, declares; with `full` on Ray too.

    `overrides` are KEY=VALUE changes of the scenario that they are tried in, as for options without a default.
    Raises InputError where the file cannot be loaded or declares no part that can be tried.
    """
    loaded = read_uses([file], Path.cwd())
    (module,) = loaded.modules.values()
    found = [
        (title, name, part)
        for title, family in FAMILIES.items()
        for name, part in family.own_parts(module.__name__).items()
    ]
    if not found:
        raise InputError(f"{file}: declares no part; a part is a class with a name, see docs/extending.md")
    for title, name, part in found:
        if title not in _PLACES:
            raise InputError(f"{file}: {name}: parts of the {title} cannot be tried by themselves")
        with TemporaryDirectory(prefix="hothouse-") as folder:
            yield from _Trial(file, title, name, part, overrides, Path(folder)).checks(full)


class _Trial:
    """One part in a small federation, which has a client with a single example."""

    def __init__(
        self, file: str, title: str, name: str, part: type[Part], overrides: Sequence[str], folder: Path
    ) -> None:
        self._name, self._part, self._overrides, self._folder = name, part, overrides, folder
        self._title, self._tag, self._place, self._runs = title, FAMILIES[title].tag, _PLACES[title], 0
        data: dict[str, Any] = {"source": {"kind": "sklearn", "name": "digits"}, "test_fraction": 0.1}
        federation: dict[str, Any] = {"rounds": _ROUNDS, "clients_per_round": 6, "blocks": 2}
        self._scenario = {
            "uses": [file],
            "data": data,
            "model": {"layers": [8], "activation": "tanh", "dtype": "float64"},
            "training": {"batch_size": 8},
            "federation": federation,
            "checkpoints": {"every": 1, "keep": _ROUNDS + 1},
        }
        if issubclass(part, TextAugmentation):
            texts = folder / "texts.txt"
            texts.write_text("".join(f"{n % 2}\tsome words of the text {n}, and more\n" for n in range(200)))
            data["source"] = {"kind": "text", "path": str(texts)}
        if issubclass(part, ModelPart) and part.reads_tokens:
            documents = folder / "documents.txt"
            lines = [f"#{client}\n{'to be or not ' * (6 - client)}{n}\n" for n in range(6) for client in range(6)]
            documents.write_text("".join([*lines, "#short\n?"]))
            data["source"] = {"kind": "sequence", "path": str(documents), "clients": "#(.+)\n"}
            data["partition"] = "natural"
        elif title == "sources":
            data["partition"] = {"scheme": "iid", "clients": 7}
        elif title == "partitions":
            federation["clients_per_round"] = 1.0
        else:
            data["partition"] = {"scheme": "size", "sizes": [40, 30, 24, 17, 9, 5, 1]}

    def checks(self, full: bool) -> Iterator[Check]:
        """Every promise in turn; what rests on a run that failed is left out."""
        try:
            straight, watch = self._run({}, album=True)
        except (InputError, RunError) as error:
            yield Check(self._name, "runs", str(error))
            return
        left_out = f"clients {sorted(watch.excluded)} were left out; see their reasons in events.jsonl"
        yield Check(self._name, "runs, with a client of a single example", left_out if watch.excluded else "")
        drawn = {warning for warning in watch.warnings if "global generator" in warning}
        yield Check(self._name, "draws from no global generator", "; ".join(sorted(drawn)))
        yield self._check("repeats in the same process", lambda: _difference(straight, self._run({})[0]))
        yield self._check("trains clients in a stack as it trains each alone", lambda: self._stacked(straight))
        yield self._check("killed after each round and resumed, has the same bits", lambda: self._resumed(straight))
        yield self._check("goes on without a client that fails", self._without_one)
        if self._title not in ("selections", "partitions", "sources"):
            yield self._check("continues after a round in which nobody takes part", self._empty_round)
        for option, value in islice(_limits(self._part), _MOST_LIMITS):
            yield self._check(f"{option}: {value}", partial(self._at_limit, option, value))
        if full:
            yield self._check("has the same bits on Ray with two workers", lambda: self._on_ray(straight))

    def _check(self, promise: str, attempt: Callable[[], str]) -> Check:
        try:
            return Check(self._name, promise, attempt())
        except (InputError, RunError) as error:
            return Check(self._name, promise, str(error))

    def _run(
        self,
        options: Mapping[str, Any],
        *overrides: str,
        album: bool = False,
        engine: Engine = "local",
        node_config: Mapping[str, str] | None = None,
    ) -> tuple[Run, _Watch]:
        self._runs += 1
        out = self._folder / f"run-{self._runs}"
        watch = _Watch(out, self._folder / "album" if album else None)
        exact = {"dtype": _EXACT} if self._place == "model" else {}
        part = {self._tag: self._name, **exact, **self._required(), **options}
        place = self._place.removesuffix("[]")
        chosen = f"{place}={json.dumps([part] if place != self._place else part)}"
        done = run(
            self._scenario,
            overrides=[chosen, *self._overrides, *overrides],
            engine=engine,
            workers=2 if engine == "ray" else None,
            out=out,
            observers=[watch],
            node_config=node_config,
        )
        return done, watch

    def _required(self) -> dict[str, Any]:
        """Values of options without a default: paths are files of the trial."""
        return {
            name: str(self._folder / name)
            for name, field in self._part.model_fields.items()
            if field.default is PydanticUndefined and field.annotation is str and name != self._tag
        }

    def _stacked(self, straight: Run) -> str:
        """Stacks of one and of all."""
        alone, _ = self._run({}, "training.stack=1")
        one, other = (_arrays(run) for run in (straight, alone))
        apart = {name: float(np.abs(one[name] - other[name]).max()) for name in one}
        name, most = max(apart.items(), key=lambda item: item[1])
        return "" if most < 1e-8 else f"{name} differs by {most:.3g} from training each client alone"

    def _resumed(self, straight: Run) -> str:
        album = self._folder / "album"
        for copy in sorted(album.iterdir(), key=lambda path: int(path.name)):
            summary = json.loads((copy / "summary.json").read_text())
            if summary["rounds"] < _ROUNDS and (told := _difference(straight, resume(copy, engine="local"))):
                return f"after round {copy.name}: {told}"
        return ""

    def _without_one(self) -> str:
        fault = json.dumps([{"client": 0, "round": 2, "what": "raise"}])
        done, watch = self._run({}, "federation.clients_per_round=1.0", node_config={"faults": fault})
        if done.summary["status"] != "complete":
            return f"the run is {done.summary['status']}"
        return "" if watch.excluded <= {0} else f"clients {sorted(watch.excluded - {0})} were left out with it"

    def _empty_round(self) -> str:
        drawn = "federation.selection={name: poisson, rate: 0.1}"
        done, watch = self._run({}, "federation.clients_per_round=1.0", drawn)
        if watch.excluded:
            return f"clients {sorted(watch.excluded)} were left out"
        finite = all(np.isfinite(array).all() for array in _arrays(done).values())
        return "" if finite and 0 in done.metrics["clients"].tolist()[1:] else "the model is not finite after it"

    def _at_limit(self, option: str, value: Any) -> str:
        done, watch = self._run({option: value}, "federation.rounds=1")
        lost = done.metrics["train_loss"].iloc[-1] if "train_loss" in done.metrics else 0.0
        if watch.excluded:
            return f"clients {sorted(watch.excluded)} were left out"
        return "" if np.isfinite(lost) else f"the training loss is {lost}"

    def _on_ray(self, straight: Run) -> str:
        return _difference(straight, self._run({}, engine="ray")[0])


def _arrays(run: Run) -> dict[str, Any]:
    return {name: tensor.numpy() for name, tensor in run.stored_model.network.arrays().items()}


def _difference(one: Run, other: Run) -> str:
    """Where two runs differ; empty where they have the same bits."""
    for name, array in _arrays(one).items():
        if not np.array_equal(array, _arrays(other)[name]):
            return f"{name} of the final model differs: something is carried that the state does not have"
    numbers = [run.metrics.drop(columns=list(_TIMES), errors="ignore") for run in (one, other)]
    return "" if numbers[0].equals(numbers[1]) else "metrics.jsonl differs"


_EXACT = "float64"
"""What networks compute in: nothing but a fault is then as large as what stacks are compared by."""


def _limits(part: type[Part]) -> Iterator[tuple[str, Any]]:
    """Each option at the ends of what it may be, and at each of its choices."""
    for name, field in part.model_fields.items():
        if name in (part.family.tag, "lr", "probability"):
            continue
        for value in _ends(field):
            if value != (_EXACT if name == "dtype" else field.default):
                yield field.alias or name, value


def _ends(field: FieldInfo) -> Iterator[Any]:
    if get_origin(field.annotation) is Literal:
        yield from get_args(field.annotation)
    elif field.annotation is bool:
        yield from (True, False)
    elif field.annotation in (int, float):
        for rule in field.metadata:
            for name, inside in (("ge", 0), ("le", 0), ("gt", 1), ("lt", -1)):
                limit = getattr(rule, name, None)
                if limit is not None and abs(limit) <= 1000:
                    yield limit + (inside if field.annotation is int else inside / 1000)
