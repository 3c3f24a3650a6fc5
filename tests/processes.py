"""Looking at and killing the processes that tests start, and no others: each carries a mark in its environment.

What descends from a process has its environment, also in a session of its own and after its parent's death.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

HOTHOUSE = str(Path(sys.executable).parent / "hothouse")
_MARK = "HOTHOUSE_TESTS"
_SESSION = uuid.uuid4().hex
_started: list[str] = []
"""The marks of what `start` started in the current test."""
_forked: list[BaseProcess] = []
"""What `fork` started in the current test."""

# From a process that has imported everything: that takes seconds of a processor.
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["hothouse.sweeps.sweep", "hothouse.running.launch", "server.rounds", "clients.app"])


@contextlib.contextmanager
def marked() -> Iterator[None]:
    """Mark what this process starts from now on; end whatever is left of it."""
    # Ray's processes change their titles, for which they would overwrite their environment otherwise.
    os.environ.update({_MARK: _SESSION, "SPT_NOENV": "1"})
    yield
    end_marked(_SESSION)


def end_started() -> None:
    """End what is left of whatever `start` and `fork` started, wherever it has gone."""
    while _started:
        end_marked(_started.pop())
    while _forked:
        process = _forked.pop()
        process.kill()
        process.join()


def end_marked(mark: str) -> None:
    """End every process that carries a mark."""
    for process in commands(mark):
        with contextlib.suppress(ProcessLookupError):
            kill(process)


def commands(mark: str = _SESSION) -> dict[int, str]:
    """The running processes that tests of this session started, and their commands."""
    found, sign = {}, f"{_MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if sign not in (folder / "environ").read_bytes():
                continue
            found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found


def machine_has(word: str) -> bool:
    """Whether any process of the machine, whosoever it is, has a word in its command."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if word in (folder / "cmdline").read_bytes().decode(errors="replace"):
                return True
    return False


def workers() -> list[int]:
    """The Ray actors that train clients."""
    return [process for process, command in commands().items() if command.startswith("ray::ClientWorker")]


def ray_processes() -> set[int]:
    """Everything of Ray's, and the guardians."""
    words = ("ray::", "/raylet", "gcs_server", "ray/autoscaler", "ray/dashboard", "running/guardian.py")
    return {process for process, command in commands().items() if any(word in command for word in words)}


def processes_of(parent: int, word: str) -> list[int]:
    """The processes with a word in their command that descend from `parent`."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue

    def descends(process: int) -> bool:
        while process in parents:
            process = parents[process]
            if process == parent:
                return True
        return False

    return [process for process, command in commands().items() if word in command and descends(process)]


def shared_memory() -> set[Path]:
    """The files of memory that processes of the machine share."""
    return set(Path("/dev/shm").iterdir())


def abandoned(files: set[Path]) -> set[Path]:
    """Those of these files that are still there and that no process has open or mapped."""
    used: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        # Processes and their files come and go.
        with contextlib.suppress(OSError):
            used |= {line.split(maxsplit=5)[-1] for line in (process / "maps").read_text().splitlines()}
        with contextlib.suppress(OSError):
            for handle in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    used.add(str(handle.readlink()))
    return {file for file in files if file.exists() and str(file) not in used}


def proportional_memory(parent: int) -> dict[str, int]:
    """The memory of a process and of those below it, in kB, pages that are shared counted in shares."""
    found, told = {}, commands()
    for process in [parent, *processes_of(parent, "ray")]:
        try:
            lines = (Path("/proc") / str(process) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        name = told[process].split()[0].rpartition("/")[2] if process in told else "the driver"
        found[f"{name} {process}"] = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return found


def start(*arguments: object, within: Sequence[str] = (), **options: Any) -> subprocess.Popen[str]:
    """`hothouse` with these arguments, in a session of its own; it does not outlive the test.

    `within` is a command that runs another, as `env` does.
    """
    _started.append(f"{_SESSION}-{len(_started)}")
    environment = os.environ | options.pop("env", {}) | {_MARK: _started[-1]}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(
        [*within, HOTHOUSE, *map(str, arguments)], text=True, start_new_session=True, env=environment, **pipes
    )


def fork(function: Callable[..., object], *arguments: Any, **options: Any) -> BaseProcess:
    """A call in a process of its own, which does not outlive the test."""
    _forked.append(_server.Process(target=function, args=arguments, kwargs=options))
    _forked[-1].start()
    return _forked[-1]


def until(holds: Callable[[], bool], seconds: float = 180.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def rounds_in(folder: Path) -> int:
    """How many lines metrics.jsonl has by now."""
    try:
        return (folder / "metrics.jsonl").read_text().count("\n")
    except OSError:
        return 0


def kill(process: int) -> None:
    """kill -9."""
    os.kill(process, signal.SIGKILL)
