"""Running a scenario on this machine: the run's folder, the grid, and the ServerApp on it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from flwr.app import Context, RecordDict
from flwr.app.user_config import UserConfig

from common.data import Prepared, prepare
from common.errors import InputError
from common.extend.events import Notice, Observer, RunOpened
from common.resolve import resolve_scenario
from common.run_files import is_taken
from common.scenario import Scenario, load_scenario, located, single_run
from common.scenario.draft import uses
from common.scenario.user_file import errors_with_lines
from common.scenario.uses import texts_of, trusting
from hothouse.inspect.hints import hints
from hothouse.report.run import write_report
from hothouse.results.records import naming_folder
from hothouse.results.run_folder import recorded_scenario
from hothouse.running.cards import card_share, choose_cards, only_cards
from hothouse.running.finished import Run, load
from hothouse.running.logs import OWN, EventLog, Logs, capture_logs
from hothouse.running.notebook import NotebookProgress, in_notebook
from hothouse.running.ray_cluster import ray_cluster
from hothouse.running.ray_session import mark_run, ray_session
from server.grid.base import SERVER_NODE, DirectGrid
from server.record.observers import as_observer
from server.record.resume import Resumed
from server.record.resume import resume as find
from server.trackers import check_trackers

CLIENT_APP = "clients.app:app"

Engine = Literal["ray", "local"]


def run(
    scenario: str | Path | Mapping[str, Any] | Scenario,
    *,
    overrides: Sequence[str] = (),
    use: Sequence[str | Path | type] = (),
    seed: int | None = None,
    workers: int | None = None,
    engine: Engine = "ray",
    ray_address: str | None = None,
    gpus: Sequence[int] | None = None,
    out: str | Path | None = None,
    observers: Sequence[Observer] = (),
    node_config: Mapping[str, str | int | float | bool] | None = None,
    verbose: bool = False,
) -> Run:
    """Run a scenario and return what it left behind.

    `scenario` is a YAML file, a mapping of the same form or a Scenario; `overrides` are `key=value` texts, `use`
    Python files, installed modules or classes of a notebook with parts of your own that join those of the scenario;
    `workers` is the number of Ray actors (by default one for each processor); the engine `local` runs
    everything in this process, with the same bits. `ray_address` is that of a Ray cluster this machine belongs to:
    its machines train then, each with the data in its own cache or in a shared one. `gpus` are the numbers of the
    cards to train on where `training.device` is cuda or auto, by default all; there is then one worker for each card,
    unless `workers` says otherwise. `out` is the run's folder,
    else `runs/<name>-<time>`.
    `node_config` has further entries for every node's Flower node config. What Flower, Ray and Python warn of is
    in the folder's logs/run.log; with `verbose` it is written to standard error as well.

    Raises InputError for mistakes in the scenario or the data, RunError where the run cannot continue, and
    KeyboardInterrupt when interrupted; the folder is then marked incomplete and can be resumed.
    """
    changes = [*uses(use), *overrides, *([] if seed is None else [f"seed={seed}"])]
    if isinstance(scenario, Scenario):
        scenario = scenario.model_dump(mode="json", exclude_none=True)
    with located(scenario, changes):
        chosen = resolve_scenario(single_run(load_scenario(scenario, changes)))
        where = RunPlace(workers, engine, ray_address, gpus)
        return _launch(chosen, where, observers, node_config, verbose, lambda: new_folder(chosen.name, out))


def resume(
    run: str | Path | Run,
    *,
    rounds: int | None = None,
    workers: int | None = None,
    engine: Engine = "ray",
    ray_address: str | None = None,
    gpus: Sequence[int] | None = None,
    allow_changes: bool = False,
    trust_code: bool = False,
    observers: Sequence[Observer] = (),
    node_config: Mapping[str, str | int | float | bool] | None = None,
    verbose: bool = False,
) -> Run:
    """Resume an interrupted or killed run, or extend one to `rounds`; bit-identical to an uninterrupted run.

    `allow_changes` continues although the scenario, the data or the software changed since, and notes it in
    events.jsonl. `trust_code` runs code that came with an imported run. The other arguments are those of `run`.

    Raises InputError where there is nothing to resume or it changed, and what `run` raises.
    """
    folder = run.folder if isinstance(run, Run) else Path(run)
    summary = load(folder).summary
    with trusting(trust_code):
        chosen = recorded_scenario(folder / "scenario.yaml", [] if rounds is None else [f"federation.rounds={rounds}"])
    done = summary.get("rounds", 0)
    if stopped := summary.get("stopped"):
        raise InputError(f"{folder} is complete: it stopped after {done} rounds ({stopped})")
    if summary.get("status") == "complete" and isinstance(done, int) and done >= chosen.federation.rounds:
        raise InputError(f"{folder} is complete after {done} rounds; --rounds N extends it")

    def find_checkpoint(prepared: Prepared) -> Resumed:
        with naming_folder(folder):
            return find(folder, chosen, prepared, allow_changes)

    where = RunPlace(workers, engine, ray_address, gpus)
    return _launch(chosen, where, observers, node_config, verbose, lambda: folder, find_checkpoint)


@dataclass(frozen=True)
class RunPlace:
    """What a run runs on."""

    workers: int | None
    engine: Engine
    ray_address: str | None = None
    gpus: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if self.ray_address is not None and self.engine != "ray":
            raise InputError(f"the address of a Ray cluster is for the engine ray, not for {self.engine}")


def _launch(
    scenario: Scenario,
    where: RunPlace,
    observers: Sequence[Observer],
    node_config: Mapping[str, str | int | float | bool] | None,
    verbose: bool,
    folder: Callable[[], Path],
    find_checkpoint: Callable[[Prepared], Resumed] | None = None,
) -> Run:
    """Prepare the data, start a grid and run the ServerApp on it; however that ends, write the report.

    In a notebook the run is shown where nobody else watches it.
    """
    check_trackers(scenario)
    watching = [as_observer(one) for one in observers] or ([NotebookProgress()] if in_notebook() else [])

    def warned(source: str, text: str) -> None:
        for observer in watching:
            observer.on_event(Notice("warning", 0, {"source": source, "reason": text}))

    # A single thread, and the only one that imports modules of ours until it is done: two threads that enter a circle
    # of imports at two places block each other.
    with errors_with_lines(), capture_logs(warned, verbose) as logs, ThreadPoolExecutor(1) as background:
        preparing = background.submit(prepare, scenario)
        # PyTorch takes as long to import as Ray to start.
        importing = background.submit(import_module, "server.app")
        _check_first(preparing)
        place: UserConfig = dict(node_config or {})
        with _grid(scenario, where, place, logs, verbose, importing) as grid:
            prepared = preparing.result()
            place["data-dir"] = str(prepared.folder)
            resumed = find_checkpoint(prepared) if find_checkpoint else None
            home = folder()
            logs.into(home)
            mark_run(home)
            for observer in watching:
                observer.on_event(RunOpened(home))
                for hint in [] if find_checkpoint else hints(scenario, prepared):
                    observer.on_event(Notice("hint", 0, {"reason": hint}))
            build = importing.result().build
            context = Context(grid.run.run_id, SERVER_NODE, {}, RecordDict(), {"out": str(home)})
            with _report_anyway(home):
                build(scenario, prepared, [EventLog(), *watching], resumed)(grid, context)
    return Run(home)


@contextmanager
def _report_anyway(home: Path) -> Iterator[None]:
    """Note why a run broke off, and write its report in any case; a run is worth more than its report."""
    log = logging.getLogger(OWN)
    try:
        yield
    except BaseException as error:
        log.error("the run broke off", exc_info=error)
        raise
    finally:
        try:
            write_report(home)
        except Exception as error:
            logging.getLogger(f"{OWN}.report").warning("the report could not be written: %s", error, exc_info=error)


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_first(preparing: Future[Prepared]) -> None:
    """Mistakes in the data are told before Ray is started; data that takes long is prepared meanwhile."""
    try:
        preparing.result(timeout=0.5)
    except StillRunning:
        return


@contextmanager
def _grid(
    scenario: Scenario, where: RunPlace, place: UserConfig, logs: Logs, verbose: bool, importing: Future[Any]
) -> Iterator[DirectGrid]:
    """A grid of as many nodes as there are workers, each configured by `place`.

    Ray is started meanwhile; anything of ours is imported once `importing` is done.
    """
    texts = texts_of(scenario.uses)
    if scenario.training.device != "cpu":
        importing.result()
    cards = choose_cards(scenario.training.device, where.gpus) if where.ray_address is None else ()
    if where.engine == "local":
        importing.result()
        from server.grid.local import LocalGrid

        with only_cards(cards), closing(LocalGrid(CLIENT_APP, [place], {})) as local:
            yield local
    elif where.ray_address is not None:
        with ray_cluster(where.ray_address, where.workers, verbose) as (cluster, workers):
            importing.result()
            from server.grid.machine import Machine
            from server.grid.ray import RayGrid

            nodes, share = [place] * workers, _share_of_ray(scenario, workers)
            with closing(
                RayGrid(
                    CLIENT_APP,
                    nodes,
                    {},
                    workers,
                    cluster,
                    machine=Machine(scenario),
                    texts=texts,
                    card_share=share,
                )
            ) as grid:
                yield grid
    else:
        workers = where.workers or len(cards) or processors()
        with only_cards(cards), ray_session(workers, logs, verbose, len(cards)) as session:
            importing.result()
            import ray

            from server.grid.ray import RayGrid

            # A Ray that ran already may have workers of other runs.
            share = _share_of_ray(scenario, workers if session else int(ray.cluster_resources()["CPU"]))

            with closing(
                RayGrid(CLIENT_APP, [place] * workers, {}, workers, session, texts=texts, card_share=share)
            ) as grid:
                yield grid


def _share_of_ray(scenario: Scenario, workers: int) -> float:
    """What part of a card each of so many workers on the Ray that is running asks for."""
    if scenario.training.device == "cpu":
        return 0.0
    import ray

    return card_share(int(ray.cluster_resources().get("GPU", 0)), workers)


def new_folder(name: str, out: str | Path | None) -> Path:
    """Make a folder, `out` or else `runs/<name>-<time>`; raises InputError where it would overwrite something."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = Path(out) if out is not None else Path("runs") / f"{name}-{stamp}"
    if out is None:
        attempt = 1
        while folder.exists():
            attempt += 1
            folder = folder.with_name(f"{name}-{stamp}-{attempt}")
    try:
        if is_taken(folder):
            raise InputError(f"{folder} exists and is not empty; choose another with --out")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be made ({error.strerror})") from None
    return folder
