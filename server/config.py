"""What a run's config says: Flower's `--run-config`, defaults in pyproject.toml.

| key | |
|---|---|
| `scenario` | a YAML file: relative to the ServerApp's current folder, else to the project |
| `set` | changes of its keys: `"federation.rounds=5 training.optimizer.lr=0.1"` |
| `out` | the run's folder, on the server's machine; `runs/<name>-<time>` if empty |
| `nodes` | how many SuperNodes must be there before the run begins; 0 is whoever is there |
| `server-data` | the server's folder from `hothouse cut`; if empty the data is prepared from the scenario's source |
| `resume` | go on with the run in `out` |
| `allow-changes` | go on even if the scenario, the data or the software changed since |
| `report` | what writes the report, as `module:function`; none if empty |
"""

from __future__ import annotations

import shlex
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from flwr.app.user_config import UserConfig

from common.data import Prepared, open_prepared, prepare
from common.errors import InputError
from common.resolve import resolve_scenario
from common.run_files import is_taken
from common.scenario import Scenario, load_scenario, located, single_run

_PROJECT = Path(__file__).parents[1]


class RunConfig:
    """A run's config, read."""

    def __init__(self, config: UserConfig, given: Scenario | None = None) -> None:
        """With a scenario that is `given`, the config names none."""
        self._config, self._given = config, given
        self._changes = shlex.split(str(config.get("set", "")))

    def scenario(self) -> Scenario:
        """The scenario, ready to be run."""
        return resolve_scenario(single_run(self._given or load_scenario(self._file(), self._changes)))

    def prepared(self, scenario: Scenario) -> Prepared:
        """The server's data: its own folder, or all that the scenario describes."""
        own = str(self._config.get("server-data", ""))
        return open_prepared(Path(own), scenario) if own else prepare(scenario)

    def folder(self, name: str, begins: bool) -> Path:
        """The run's folder. Raises InputError where a run that begins would find files in it."""
        chosen = str(self._config.get("out", ""))
        folder = Path(chosen or f"runs/{name}-{time.strftime('%Y%m%d-%H%M%S')}").absolute()
        if chosen and begins and is_taken(folder):
            hint = "resume=true goes on with the run in it" if (folder / "scenario.yaml").exists() else ""
            raise InputError(f"{folder} exists and is not empty; choose another out{hint and f', or {hint}'}")
        return folder

    @property
    def nodes(self) -> int:
        """How many nodes must be there."""
        return int(self._config.get("nodes", 0))

    @property
    def resume(self) -> bool:
        """Whether the run in the folder is resumed."""
        return bool(self._config.get("resume", False))

    @property
    def allow_changes(self) -> bool:
        """Whether it is resumed whatever changed."""
        return bool(self._config.get("allow-changes", False))

    @property
    def report(self) -> str:
        """What writes the report."""
        return str(self._config.get("report", "hothouse.report.run:write_report"))

    def located(self) -> AbstractContextManager[None]:
        """Puts the scenario's file and line before what is said about one of its keys."""
        return nullcontext() if self._given else located(self._file(), self._changes)

    def _file(self) -> Path:
        name = Path(str(self._config.get("scenario", "scenarios/quickstart.yaml")))
        return name if name.exists() or name.is_absolute() else _PROJECT / name
