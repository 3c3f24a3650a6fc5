"""A small process that outlives another by a moment, to end and remove what that one left behind.

Ray's processes end with the driver, but for a few helpers that stay when the driver is killed outright, and so does
Ray's temporary folder; and Ray itself may end the driver without a word. The guardian is told of all this through a
pipe. It waits for the pipe to close, which happens however the driver ends, then kills the processes that are still
there and removes the folders. Of a run whose driver did not say goodbye it tells, there and in its summary, how to
resume it.

    python -P hothouse/running/guardian.py < pipe
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

_UNDER_WAY = "the run has not ended"
"""The status reason in the summary of a run that is still running."""


class Guardian:
    """The driver's side: the pipe."""

    def __init__(self) -> None:
        # A session of its own, so that Ctrl-C does not reach it.
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, processes: Iterable[int]) -> None:
        """Have the processes with these ids ended when the driver has."""
        for one in processes:
            self._tell({"process": one})

    def remove(self, folder: Path) -> None:
        """Have a folder removed when the driver has ended."""
        self._tell({"folder": str(folder)})

    def mark(self, run: Path) -> None:
        """Have it told how to resume the run in this folder if the driver ends without `dismiss`."""
        self._tell({"run": str(run.absolute())})

    def dismiss(self) -> None:
        """End what is left now."""
        self._tell({"goodbye": True})
        with suppress(OSError, subprocess.TimeoutExpired):
            self._process.communicate(timeout=10)

    def _tell(self, line: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(json.dumps(line).encode() + b"\n")
            self._process.stdin.flush()


def run_guarded(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """`subprocess.run` of a command that ends with this process, however that one ends."""
    guardian = Guardian()
    try:
        with subprocess.Popen(command, **options) as process:
            guardian.watch([process.pid])
            try:
                out, errors = process.communicate()
            except BaseException:
                process.kill()
                raise
            return subprocess.CompletedProcess(command, process.returncode, out, errors)
    finally:
        guardian.dismiss()


def kill(process: psutil.Process) -> None:
    """Kill a process, if it is still the one that it was."""
    with suppress(psutil.Error):
        process.kill()


def main() -> None:
    """Wait until the pipe closes, then end and remove what is left."""
    told: list[dict[str, Any]] = []
    watched: list[psutil.Process] = []
    for text in sys.stdin.buffer:
        told.append(json.loads(text))
        # Looked up at once: a later process with the same id is another one.
        with suppress(psutil.Error, KeyError):
            watched.append(psutil.Process(told[-1]["process"]))
    for process in watched:
        kill(process)
    for line in told:
        if "folder" in line:
            shutil.rmtree(line["folder"], ignore_errors=True)
    if not any("goodbye" in line for line in told):
        for line in told:
            if "run" in line:
                report_interruption(Path(line["run"]))


def report_interruption(run: Path) -> None:
    """Say that the run in a folder broke off, there and on the terminal, unless it has said so itself."""
    path = run / "summary.json"
    try:
        summary = json.loads(path.read_text())
        if summary.get("reason") != _UNDER_WAY:
            return
        summary["reason"] = "its process ended without a word: it was killed, or Ray ended it"
        beside = path.with_name(".summary.json.broken-off")
        beside.write_text(json.dumps(summary, indent=2) + "\n")
        beside.replace(path)
    except (OSError, ValueError):
        return
    with suppress(OSError):
        sys.stderr.write(f"\n{run}: the run broke off, {summary['reason']}\nhothouse resume {shlex.quote(str(run))}\n")


if __name__ == "__main__":
    main()
