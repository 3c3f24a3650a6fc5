"""The Flower ServerApp: runs the rounds of a scenario over whatever grid it is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from common.data import Prepared, prepare
from common.determinism import one_thread
from common.scenario import Scenario, load_scenario
from server.observers import Observer
from server.recorder import Recorder
from server.rounds import Rounds


def build(
    scenario: Scenario | None = None, prepared: Prepared | None = None, observers: Sequence[Observer] = ()
) -> ServerApp:
    """A ServerApp that reports its progress to `observers`.

    What is not given is taken from the run's config: `scenario` names a YAML file, `out` the run's folder.
    """
    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        chosen = scenario or load_scenario(str(context.run_config["scenario"]))
        data = prepared or prepare(chosen)
        with Recorder(Path(str(context.run_config["out"])), chosen) as recorder, one_thread():
            Rounds(grid, chosen, data, [recorder, *observers]).run()

    return server_app


app = build()
