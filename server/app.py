"""The Flower ServerApp: runs the rounds of a scenario over whatever grid it is given."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from common.data import Prepared
from common.determinism import one_thread
from common.extend.events import Observer
from common.scenario import Scenario
from common.scenario.uses import keep_in_cache
from server.config import RunConfig
from server.exchange.sending import Carrier
from server.grid.base import DirectGrid
from server.grid.polled import PolledGrid
from server.orphan import end_with_parent
from server.record.checkpoints import Checkpoints
from server.record.console import ConsoleObserver, report_at_end
from server.record.recorder import Recorder
from server.record.report_recorder import ReportRecorder
from server.record.resume import Resumed, about, resume
from server.record.run_log import log_to_folder
from server.rounds import Rounds
from server.trackers import Trackers, check_trackers, tracked_run


def build(
    scenario: Scenario | None = None,
    prepared: Prepared | None = None,
    observers: Sequence[Observer] | None = None,
    resumed: Resumed | None = None,
) -> ServerApp:
    """A ServerApp that reports its progress to `observers`.

    What is not given is taken from the run's config (`server.config`). Without observers, as on a SuperLink, progress
    is printed, what is logged goes into the run's folder, and the report is written in the end.
    """
    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        end_with_parent()
        config = RunConfig(context.run_config, scenario)
        with config.located():
            chosen = config.scenario()
            check_trackers(chosen)
            data = prepared or config.prepared(chosen)
            # Who brings observers has made the folder.
            folder = config.folder(chosen.name, begins=observers is None and not resumed and not config.resume)
            going_on = resumed
            if config.resume:
                going_on = resume(folder, chosen, data, config.allow_changes)
        if isinstance(grid, DirectGrid):
            carrier: Carrier = grid
        else:
            carrier = PolledGrid(grid, config.nodes)
            keep_in_cache(chosen.uses)
        watching = [ConsoleObserver(folder)] if observers is None else observers
        checkpoints = Checkpoints(folder / "checkpoints", chosen.checkpoints.keep, about(chosen, data))
        recorder, report_recorder = Recorder(folder, chosen, going_on), ReportRecorder(folder, chosen, data, going_on)
        run = tracked_run(folder, chosen, going_on)
        report = report_at_end(folder, config.report if observers is None else "")
        log = log_to_folder(folder) if observers is None else nullcontext()
        with log, report, recorder, report_recorder, Trackers(run, recorder) as trackers, one_thread():
            Rounds(carrier, chosen, data, [recorder, report_recorder, trackers, *watching], checkpoints, going_on).run()

    return server_app


app = build()
