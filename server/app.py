"""The Flower ServerApp: runs the rounds of a scenario over whatever grid it is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from common.data import Prepared, prepare
from common.determinism import one_thread
from common.models.start import settled
from common.scenario import Scenario, load_scenario
from server.checkpoints import Checkpoints
from server.observers import Observer
from server.recorder import Recorder
from server.resume import Resumed, about, resume
from server.rounds import Rounds


def build(
    scenario: Scenario | None = None,
    prepared: Prepared | None = None,
    observers: Sequence[Observer] = (),
    resumed: Resumed | None = None,
) -> ServerApp:
    """A ServerApp that reports its progress to `observers`.

    What is not given is taken from the run's config: `scenario` names a YAML file, `out` the run's folder;
    with `resume` true the run that is in the folder goes on, with `allow-changes` true even if the scenario,
    the data or the software changed since.
    """
    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        config = context.run_config
        chosen = settled(scenario or load_scenario(str(config["scenario"])))
        data = prepared or prepare(chosen)
        folder = Path(str(config["out"]))
        going_on = resumed
        if config.get("resume"):
            going_on = resume(folder, chosen, data, bool(config.get("allow-changes")))
        checkpoints = Checkpoints(folder / "checkpoints", chosen.checkpoints.keep, about(chosen, data))
        with Recorder(folder, chosen, going_on) as recorder, one_thread():
            Rounds(grid, chosen, data, [recorder, *observers], checkpoints, going_on).run()

    return server_app


app = build()
