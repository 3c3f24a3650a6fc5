"""A small process that outlives a run by a moment, to remove what the run left behind.

Ray's processes end with the driver, but for a few helpers that stay when the driver is killed outright, and so does
Ray's temporary folder. The guardian is told of them through a pipe. It waits for the pipe to close, which happens
however the driver ends, then kills the processes that are still there and removes the folder.

    python -P hothouse/running/guardian.py < pipe
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A process, told apart from a later one with the same id by when it started."""

    id: int
    parent: int
    started: int
    running: bool


class Guardian:
    """The driver's side: the pipe."""

    def __init__(self) -> None:
        # A session of its own, so that Ctrl-C does not reach it.
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, processes: list[Process]) -> None:
        """Have these processes ended when the driver has."""
        self._tell("".join(f"{one.id} {one.started}\n" for one in processes))

    def remove(self, folder: Path) -> None:
        """Have a folder removed when the driver has ended."""
        self._tell(f"{folder}\n")

    def dismiss(self) -> None:
        """End what is left now."""
        with suppress(OSError, subprocess.TimeoutExpired):
            self._process.communicate(timeout=10)

    def _tell(self, text: str) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(os.fsencode(text))
            self._process.stdin.flush()


def look(process: int) -> Process | None:
    """What /proc says of a process; None for one that is gone, or where there is no /proc."""
    try:
        fields = (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return Process(process, int(fields[1]), int(fields[19]), fields[0] != "Z")


def descendants(ancestor: int) -> list[Process]:
    """The processes below `ancestor`."""
    every = [look(int(folder.name)) for folder in Path("/proc").glob("[0-9]*")]
    children: dict[int, list[Process]] = {}
    for process in every:
        if process is not None:
            children.setdefault(process.parent, []).append(process)
    found, open_ids = [], [ancestor]
    while open_ids:
        below = children.get(open_ids.pop(), [])
        found += below
        open_ids += [process.id for process in below]
    return found


def command(process: int) -> str:
    """A process's command line."""
    try:
        return (Path("/proc") / str(process) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def end(process: int, started: int) -> None:
    """Kill a process, if it is still the one that started then."""
    now = look(process)
    if now is not None and now.started == started:
        with suppress(OSError):
            os.kill(process, signal.SIGKILL)


def main() -> None:
    """Wait until the pipe closes, then end and remove what is left."""
    lines = os.fsdecode(sys.stdin.buffer.read()).splitlines()
    folders = [line for line in lines if line.startswith(os.sep)]
    for line in lines:
        if line not in folders:
            process, started = line.split()
            end(int(process), int(started))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
