"""Running a scenario on this machine: the run's folder, the grid, and the ServerApp on it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

from flwr.app import Context, RecordDict
from flwr.app.user_config import UserConfig

from common.data import Prepared, prepare
from common.errors import InputError
from common.models.start import settled
from common.scenario import Scenario, load_scenario
from hothouse.logs import logs_into
from hothouse.result import Run, load
from server.app import build
from server.grid.base import SERVER_NODE, DirectGrid
from server.observers import Observer
from server.resume import Resumed
from server.resume import resume as find

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
    node_config: Mapping[str, str | int | float | bool] | None = None,
) -> Run:
    """Run a scenario and return what it left behind.

    `scenario` is a YAML file, a mapping of the same form or a Scenario; `overrides` are `key=value` texts;
    `workers` is the number of Ray actors (by default one for each processor); the engine `local` runs
    everything in this process, with the same bits. `out` is the run's folder, else `runs/<name>-<time>`.
    `node_config` has further entries for every node's Flower node config.

    Raises InputError for mistakes in the scenario or the data, RunError where the run cannot go on, and
    KeyboardInterrupt when interrupted; the folder is then marked incomplete and can be resumed.
    """
    changes = [*overrides, *([] if seed is None else [f"seed={seed}"])]
    if isinstance(scenario, Scenario):
        scenario = scenario.model_dump(mode="json", exclude_none=True)
    chosen = settled(load_scenario(scenario, changes))
    return _launch(chosen, workers, engine, observers, node_config, folder=lambda: _new_folder(chosen, out))


def resume(
    run: str | Path | Run,
    *,
    rounds: int | None = None,
    workers: int | None = None,
    engine: Engine = "ray",
    allow_changes: bool = False,
    observers: Sequence[Observer] = (),
    node_config: Mapping[str, str | int | float | bool] | None = None,
) -> Run:
    """Go on with a run that was interrupted, or prolong one to `rounds`; the bits are those of a run at one go.

    `allow_changes` goes on although the scenario, the data or the software changed since, and notes it in
    events.jsonl. The other arguments are those of `run`.

    Raises InputError where there is nothing to go on with or where it changed, and what `run` raises.
    """
    folder = run.folder if isinstance(run, Run) else Path(run)
    summary = load(folder).summary
    chosen = load_scenario(folder / "scenario.yaml", [] if rounds is None else [f"federation.rounds={rounds}"])
    if summary["status"] == "complete" and summary["rounds"] >= chosen.federation.rounds:
        raise InputError(f"{folder} is complete after {summary['rounds']} rounds; --rounds N prolongs it")

    def going_on(prepared: Prepared) -> Resumed:
        return find(folder, chosen, prepared, allow_changes)

    return _launch(chosen, workers, engine, observers, node_config, folder=lambda: folder, going_on=going_on)


def _launch(
    scenario: Scenario,
    workers: int | None,
    engine: Engine,
    observers: Sequence[Observer],
    node_config: Mapping[str, str | int | float | bool] | None,
    folder: Callable[[], Path],
    going_on: Callable[[Prepared], Resumed] | None = None,
) -> Run:
    """Prepare the data, start a grid and run the ServerApp on it."""
    with ThreadPoolExecutor(1) as background:
        preparing = background.submit(prepare, scenario)
        _fails_at_once(preparing)
        place: UserConfig = dict(node_config or {})
        with _grid(engine, workers or processors(), place) as grid:
            prepared = preparing.result()
            place["data-dir"] = str(prepared.folder)
            resumed = going_on(prepared) if going_on else None
            home = folder()
            with logs_into(home / "logs"):
                context = Context(grid.run.run_id, SERVER_NODE, {}, RecordDict(), {"out": str(home)})
                build(scenario, prepared, observers, resumed)(grid, context)
    return Run(home)


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

        with closing(LocalGrid(CLIENT_APP, [place], {})) as local:
            yield local
        return
    from hothouse.ray_session import ray_session

    with ray_session(workers) as session:
        from server.grid.ray import RayGrid

        with closing(RayGrid(CLIENT_APP, [place] * workers, {}, workers, session)) as grid:
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
