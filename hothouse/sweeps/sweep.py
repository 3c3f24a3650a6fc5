"""Running a sweep: its folder, what is left to do, and several runs at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from common.cache_folder import cache_folder
from common.data import prepare
from common.errors import InputError
from common.resolve import resolve_scenario
from common.scenario import Scenario, identity_of, keep_scenario
from common.scenario.draft import uses
from common.scenario.flat import flat
from common.software import identity
from common.whole_files import write_whole
from hothouse.results.run_folder import recorded_scenario
from hothouse.running.cards import choose_cards
from hothouse.running.launch import Engine, new_folder, processors
from hothouse.running.notebook import in_notebook
from hothouse.sweeps.execute import Job, RunOutcome
from hothouse.sweeps.goal import Goal
from hothouse.sweeps.matrix import Matrix
from hothouse.sweeps.notebook import NotebookSweep
from hothouse.sweeps.outputs import write_outputs
from hothouse.sweeps.plan import Plan
from hothouse.sweeps.pool import LocalPool, RayPool, RunPool
from hothouse.sweeps.read import prepare_runs, read_plan
from hothouse.sweeps.result import (
    RECORD,
    RUNS,
    SCENARIO,
    SUMMARY,
    Sweep,
    history_of,
    is_sweep,
    read_record,
    summary_of,
)
from hothouse.sweeps.search import Search, Trial
from hothouse.sweeps.watcher import Watcher
from server.record.journal import JsonLinesFile, as_json

_WAIT = 0.5
"""Seconds between two looks at how runs are going, for the display."""
_MAY_CHANGE = ("name", "seeds", "search.trials")
_FINAL = ("complete", "pruned", "failed")


def sweep(
    scenario: str | Path | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    use: Sequence[str | Path | type] = (),
    seed: int | None = None,
    workers: int | None = None,
    at_once: int | None = None,
    engine: Engine = "ray",
    out: str | Path | None = None,
    allow_changes: bool = False,
    watcher: Watcher | None = None,
) -> Sweep:
    """Run a scenario's `matrix`, `seeds` or `search` and return what it left behind.

    `scenario` is a YAML file, a mapping of the same form, or the folder of a sweep to go on with. `use` has Python
    files or installed modules with parts of your own that join those of the scenario. `workers` is
    the number of processors to use (by default all), `at_once` how many runs share them (by default each run
    has one); the engine `local` does one run after the other in this process. Neither changes a bit of any
    run. `out` is the sweep's folder, else `runs/<name>-sweep-<time>`; where it holds this sweep already, that
    is resumed: finished runs are not repeated, unfinished ones resume from their checkpoints. More values,
    seeds and trials may then be asked for. `allow_changes` goes on although the software changed.

    A run that fails is listed in the result and does not stop the others. Raises InputError for mistakes in
    the scenario or the data, before anything runs, and KeyboardInterrupt when interrupted.
    """
    watcher = watcher or (NotebookSweep() if in_notebook() else Watcher())
    changes = [*uses(use), *overrides, *([] if seed is None else [f"seed={seed}"])]
    folder = Path(out) if out is not None else None
    if not isinstance(scenario, Mapping) and is_sweep(scenario):
        folder = Path(scenario)
        scenario = folder / SCENARIO
    plan = read_plan(scenario, changes)
    goal = prepare_runs(plan)
    workers = workers or processors()
    at_once = _at_once(plan, workers, at_once)
    home = _sweep_folder(plan, folder)
    if not allow_changes:
        _check_data_and_software(home)
    cards = len(choose_cards(plan.scenario.training.device, None))
    with _locked(home), _pool(engine, workers, at_once, home, watcher, cards) as pool:
        keep_scenario(plan.scenario, home / SCENARIO)
        try:
            _Start(plan, goal, home, pool, watcher, workers // at_once, allow_changes).run()
        finally:
            watcher.stop()
            write_outputs(Sweep(home))
    return Sweep(home)


class _Start:
    """One start of a sweep."""

    def __init__(
        self,
        plan: Plan,
        goal: Goal | None,
        home: Path,
        pool: RunPool,
        watcher: Watcher,
        workers: int,
        allow_changes: bool,
    ) -> None:
        """`workers` is how many each run has."""
        self._plan, self._goal, self._sweep_folder, self._pool, self._watcher = plan, goal, home, pool, watcher
        self._workers, self._allow_changes = workers, allow_changes
        past = read_record(home)
        self._journal = JsonLinesFile(home / RECORD, past)
        self._values: dict[str, dict[str, Any]] = {}
        self._latest = {entry["run"]: entry for entry in past}
        if plan.scenario.search:
            assert goal is not None
            self._runs: Matrix | Search = Search(plan, goal, home)
        else:
            self._runs = Matrix(plan)

    def run(self) -> None:
        """All runs that are left."""
        self._summarize("incomplete")
        self._watcher.started(self._sweep_folder, self._plan.count, self._plan.rounds, self._goal)
        under_way = 0
        try:
            while True:
                while self._pool.has_room() and (trial := self._runs.next()) is not None:
                    under_way += self._begin(trial)
                if not under_way:
                    break
                for job, outcome in self._pool.wait(_WAIT):
                    under_way -= 1
                    self._end(job.folder.name, outcome)
                self._watcher.tick()
        except KeyboardInterrupt:
            self._pool.stop()
            raise
        finally:
            self._journal.close()
        self._summarize("complete")

    def _begin(self, trial: Trial) -> bool:
        """Begin a run; False where there is nothing to do."""
        name, scenario = trial.point.name, trial.point.scenario
        self._values[name] = trial.point.values
        outcome = RunOutcome("failed", trial.point.refusal) if scenario is None else self._earlier_outcome(name)
        if outcome is not None or scenario is None:
            assert outcome is not None
            self._end(name, outcome)
            return False
        job = Job(self._sweep_folder / RUNS / name, scenario, self._workers, trial.rule, self._allow_changes)
        self._note(name, "running")
        self._pool.submit(job)
        self._watcher.run_started(name, job.folder, scenario.federation.rounds)
        return True

    def _earlier_outcome(self, name: str) -> RunOutcome | None:
        """How a run ended before this start; None where it is still to be done.

        What failed in a matrix is tried again. In a search later trials were chosen by it.
        """
        if summary_of(self._sweep_folder / RUNS / name).get("status") == "complete":
            return RunOutcome("complete")
        entry = self._latest.get(name, {})
        if self._plan.scenario.search and entry.get("status") in _FINAL:
            return RunOutcome(entry["status"], entry.get("reason", ""))
        return None

    def _end(self, name: str, outcome: RunOutcome) -> None:
        history = history_of(self._sweep_folder / RUNS / name)
        if self._latest.get(name, {}).get("status") != outcome.status:
            self._note(name, outcome.status, outcome.reason)
        if outcome.status != "interrupted":
            self._runs.ended(name, outcome, history)
        self._watcher.run_ended(name, outcome, history[-1] if history else {})

    def _note(self, name: str, status: str, reason: str = "") -> None:
        entry = {"run": name, "values": self._values[name], "status": status}
        self._latest[name] = entry | ({"reason": reason} if reason else {})
        self._journal.append(self._latest[name])

    def _summarize(self, status: str) -> None:
        summary = {
            "name": self._plan.scenario.name,
            "status": status,
            "planned": self._plan.count,
            "keys": self._plan.keys,
            "goal": asdict(self._goal) if self._goal else None,
        }
        write_whole(self._sweep_folder / SUMMARY, (as_json(summary, indent=2) + "\n").encode())


def _at_once(plan: Plan, workers: int, at_once: int | None) -> int:
    """How many runs are under way at the same time: one for each worker, where there are as many."""
    if at_once is not None and at_once > workers:
        raise InputError(f"{at_once} runs at once need as many workers, and there are {workers}; see --workers")
    most = min(workers, plan.count)
    return at_once or (min(most, plan.scenario.search.parallel) if plan.scenario.search else most)


def _sweep_folder(plan: Plan, out: Path | None) -> Path:
    """The sweep's folder: a new one, or one that holds this sweep. Raises InputError where it holds another."""
    if out is None or not is_sweep(out):
        home = new_folder(f"{plan.scenario.name}-sweep", out)
        keep_scenario(plan.scenario, home / SCENARIO)
        return home
    before, now = _fixed_settings(read_plan(out / SCENARIO).scenario), _fixed_settings(plan.scenario)
    differing = [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
    if differing:
        lines = [f"  {key}: was {before.get(key, 'not set')}, is {now.get(key, 'not set')}" for key in differing]
        raise InputError("\n".join([f"{out} holds another sweep; choose another folder with --out:", *lines]))
    return out


def _check_data_and_software(home: Path) -> None:
    """Raise InputError where finished runs of a sweep stand on other data or other software than the next ones will."""
    software, keys, changed = identity(), dict[str, str](), dict[str, list[str]]()
    for folder in sorted(path for path in (home / RUNS).glob("*") if path.is_dir()):
        summary = summary_of(folder)
        if summary.get("status") != "complete":
            continue
        if (known := summary.get("versions", {}).get("hothouse")) != software:
            changed.setdefault(f"by Hothouse {known}, now {software}", []).append(folder.name)
        scenario = recorded_scenario(folder / "scenario.yaml")
        needs = f"{scenario.seed} {scenario.data!r}"
        if needs not in keys:
            keys[needs] = prepare(resolve_scenario(scenario)).meta.content
        if summary.get("data", keys[needs]) != keys[needs]:
            changed.setdefault("on data that has changed since", []).append(folder.name)
    if changed:
        lines = [f"  {len(names)} runs {what}, such as {names[0]}" for what, names in sorted(changed.items())]
        told = "\n".join([f"{home}: finished runs cannot be compared with those to come:", *lines])
        raise InputError(f"{told}\n--allow-changes keeps them; --out DIR starts anew")


def _fixed_settings(scenario: Scenario) -> dict[str, Any]:
    """What may not change when a sweep is resumed: everything but how many values, seeds and trials it has."""
    values = flat(identity_of(scenario))
    kept = {key: value for key, value in values.items() if key not in _MAY_CHANGE}
    return {key: "swept" if key.startswith("matrix.") else value for key, value in kept.items()}


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """The sweep's folder for this process alone. Raises InputError where another process has it."""
    try:
        with FileLock(home / ".lock", timeout=0):
            yield
    except Timeout:
        raise InputError(f"{home}: another process is running this sweep") from None


@contextmanager
def _pool(engine: Engine, workers: int, at_once: int, home: Path, watcher: Watcher, cards: int) -> Iterator[RunPool]:
    if engine == "local":
        yield LocalPool(watcher.tick)
    else:
        with RayPool(workers, at_once, str(cache_folder()), home, cards) as pool:
            yield pool
