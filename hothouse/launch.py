"""Running a scenario on this machine: the run's folder, the grid, and the ServerApp on it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

from flwr.app import Context, RecordDict
from flwr.app.user_config import UserConfig

from common.data import Prepared, prepare
from common.errors import InputError
from common.scenario import Scenario, load_scenario
from hothouse.logs import logs_into
from hothouse.result import Run
from server.app import build
from server.grid.base import SERVER_NODE, DirectGrid
from server.observers import Observer

CLIENT_APP = "clients.app:app"

Engine = Literal["ray", "local"]


def run(
    scenario: str | Path | Mapping[str, Any] | Scenario,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    workers: int | None = None,
    engine: Engine = "ray",
    out: str | Path | None = None,
    observers: Sequence[Observer] = (),
) -> Run:
    """Run a scenario and return what it left behind.

    `scenario` is a YAML file, a mapping of the same form or a Scenario; `overrides` are `key=value` texts;
    `workers` is the number of Ray actors (by default one for each processor); the engine `local` runs
    everything in this process, with the same bits. `out` is the run's folder, else `runs/<name>-<time>`.

    Raises InputError for mistakes in the scenario or the data, RunError where the run cannot go on, and
    KeyboardInterrupt when interrupted; the folder is then marked incomplete.
    """
    changes = [*overrides, *([] if seed is None else [f"seed={seed}"])]
    if isinstance(scenario, Scenario):
        scenario = scenario.model_dump(mode="json", exclude_none=True)
    chosen = load_scenario(scenario, changes)
    with ThreadPoolExecutor(1) as background:
        preparing = background.submit(prepare, chosen)
        _fails_at_once(preparing)
        place: UserConfig = {}
        with _grid(engine, workers or processors(), place) as grid:
            prepared = preparing.result()
            place["data-dir"] = str(prepared.folder)
            folder = _new_folder(chosen, out)
            with logs_into(folder / "logs"):
                context = Context(grid.run.run_id, SERVER_NODE, {}, RecordDict(), {"out": str(folder)})
                build(chosen, prepared, observers)(grid, context)
    return Run(folder)


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _fails_at_once(preparing: Future[Prepared]) -> None:
    """Mistakes in the data are told before Ray is started; data that takes long is prepared meanwhile."""
    try:
        preparing.result(timeout=0.5)
    except StillRunning:
        return


@contextmanager
def _grid(engine: Engine, workers: int, place: UserConfig) -> Iterator[DirectGrid]:
    """A grid of `workers` nodes, each configured by `place`."""
    if engine == "local":
        from server.grid.local import LocalGrid

        yield LocalGrid(CLIENT_APP, [place], {})
        return
    from hothouse.ray_session import ray_session

    with ray_session(workers):
        from server.grid.ray import RayGrid

        with closing(RayGrid(CLIENT_APP, [place] * workers, {}, workers)) as grid:
            yield grid


def _new_folder(scenario: Scenario, out: str | Path | None) -> Path:
    """Make the run's folder; raises InputError where it would overwrite something."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = Path(out) if out is not None else Path("runs") / f"{scenario.name}-{stamp}"
    if out is None:
        attempt = 1
        while folder.exists():
            attempt += 1
            folder = folder.with_name(f"{scenario.name}-{stamp}-{attempt}")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} exists and is not an empty folder; choose another with --out")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: the run's folder cannot be made ({error.strerror})") from None
    return folder
