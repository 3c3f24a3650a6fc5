"""What a user sees of a run or a sweep: bars and tables, a line of JSON per event, or a folder's name."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from common.errors import InputError, Interrupted, RunError, RunsFailed

if TYPE_CHECKING:
    from common.extend.events import Observer
    from hothouse.running.finished import Run


@contextmanager
def display_run(
    quiet: bool, json_lines: bool, live: bool, port: int | None
) -> Iterator[tuple[list[Observer], Callable[[Run], None]]]:
    """Who watches a run, and what shows its result, for the way in which the user wants to see it."""
    from common.extend.events import Notice
    from hothouse.running.progress import RunFolderObserver

    with ExitStack() as after:
        progress, show = _progress(quiet, json_lines, after)
        home = RunFolderObserver()
        observers: list[Observer] = [progress, home]
        if live:
            from hothouse.running.live import LivePage

            page = LivePage(port)
            after.callback(page.close)
            observers.append(page)
            progress.on_event(Notice("live", 0, {"reason": page.address}))
        try:
            yield observers, show
        except KeyboardInterrupt:
            progress.on_event(Notice("failed", 0, {"reason": "interrupted"}))
            raise Interrupted(home.folder) from None
        except RunError as error:
            progress.on_event(Notice("failed", 0, {"reason": str(error)}))
            raise RunError(f"{error}\nRun folder: {home.folder}" if home.folder else str(error)) from error
        except InputError as error:
            progress.on_event(Notice("failed", 0, {"reason": str(error)}))
            raise
        if live:
            if not quiet and not json_lines:
                print(f"The report stays at {page.address} until Ctrl-C", flush=True)
            serve()


def _progress(quiet: bool, json_lines: bool, after: ExitStack) -> tuple[Observer, Callable[[Run], None]]:
    from common.extend.events import Observer
    from hothouse.running.progress import JsonProgress, LiveProgress, fairness_table, privacy_lines, result_table
    from server.record.journal import as_json

    def as_line(done: Run) -> None:
        print(as_json({"event": "finished", "folder": str(done.folder), "summary": done.summary}), flush=True)

    def as_table(done: Run) -> None:
        screen.print(result_table(done))
        for line in privacy_lines(done):
            screen.print(line)
        if (of_clients := fairness_table(done)) is not None:
            screen.print(of_clients)
        screen.print(f"Report: {done.folder / 'report.html'}", soft_wrap=True)
        screen.print(f"Run folder: {done.folder}", soft_wrap=True)

    if json_lines:
        return JsonProgress(sys.stdout), as_line
    if quiet:
        return Observer(), lambda done: print(done.folder, flush=True)
    screen = Console(highlight=False)
    progress = LiveProgress(screen)
    after.callback(progress.stop)
    return progress, as_table


def show_trusted(folder: Path, trust_code: bool) -> None:
    """Say which code of an imported run is about to be run."""
    if trust_code and (code := _untrusted(folder)):
        print(f"{folder}: running code that came with an archive:\n{code}", file=sys.stderr)


def show_untrusted(folder: Path) -> None:
    """Say which code of an imported run was not run."""
    if code := _untrusted(folder):
        print(f"This run needs code that was not run:\n{code}\nRead it before you pass --trust-code.", file=sys.stderr)


def _untrusted(folder: Path) -> str:
    """The code of an imported run, a file or module per line."""
    from common.scenario.uses import UNTRUSTED

    marker = folder / "uses" / UNTRUSTED
    return "\n".join(marker.read_text().splitlines()[1:]) if marker.is_file() else ""


def display_sweep(source: Path, quiet: bool, json_lines: bool, **options: Any) -> None:
    """Start or resume a sweep, displayed as the user asked."""
    from hothouse.sweeps.display import JsonSweep, LiveSweep
    from hothouse.sweeps.outputs import PAGE
    from hothouse.sweeps.summary import best_sentence, results_table
    from hothouse.sweeps.sweep import sweep as launch
    from hothouse.sweeps.watcher import Watcher
    from server.record.journal import as_json

    screen = Console(highlight=False)
    watcher = JsonSweep(sys.stdout) if json_lines else Watcher() if quiet else LiveSweep(screen)
    try:
        done = launch(source, watcher=watcher, **options)
    except KeyboardInterrupt:
        raise Interrupted(watcher.folder) from None
    if json_lines:
        best = done.best.folder.name if done.best else None
        print(as_json({"event": "finished", "folder": str(done.folder), "best": best, "failed": done.failed}))
    elif quiet:
        print(done.folder)
    else:
        screen.print(results_table(done))
        if best := best_sentence(done):
            screen.print(best, soft_wrap=True)
        screen.print(f"Report: {done.folder / PAGE}", soft_wrap=True)
        screen.print(f"Sweep folder: {done.folder}", soft_wrap=True)
    if done.failed:
        told = (f"  {run}: {reason}" for run, reason in done.failed.items())
        raise RunsFailed("\n".join([f"{len(done.failed)} of {len(done)} runs failed:", *told]))


def serve() -> None:
    """Wait for Ctrl-C while others work."""
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
