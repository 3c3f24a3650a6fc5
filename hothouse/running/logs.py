"""What libraries log while a run lasts: all of it into the run's folder, each warning once to whoever watches."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from common.extend.events import Event, Notice, Observer
from server.record.run_log import FORMAT, LOGGERS

Warned = Callable[[str, str], None]
"""Told of a warning: who warns, and of what."""

OWN = "hothouse"
"""Our own logger: what it says is told elsewhere already."""

_ORDINARY = ("checkpoint", "resumed")
_MOST_BYTES = 1 << 20
"""Of a longer file of Ray's the end is kept."""
_OF_RAY = ("worker-*.out", "worker-*.err", "raylet.*", "gcs_server.*")
_EMPTY = re.compile(rb"(:(job_id|actor_name|task_name):[^\n]*\n?|\s)*")
"""What Ray writes into the file of a worker that said nothing."""


class Logs(logging.Handler):
    """Writes records into `<run>/logs/run.log`, those from before there was a folder too."""

    def __init__(self, warned: Warned, verbose: bool) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(FORMAT))
        self._warned, self._verbose = warned, verbose
        self._seen: set[str] = set()
        self._waiting: list[str] = []
        self._folder: Path | None = None
        self._file: TextIO | None = None

    def into(self, run: Path) -> None:
        """Write into this run's folder from now on."""
        self._folder = run / "logs"
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = (self._folder / "run.log").open("a", encoding="utf-8")
            self._file.writelines(line + "\n" for line in self._waiting)
        self._waiting.clear()

    def take(self, source: Path) -> None:
        """Copy what Ray wrote in `source` into a folder beside run.log, without what is empty."""
        if self._folder is None:
            return
        taken, number = self._folder / "ray", 1
        while taken.exists():
            number += 1
            taken = self._folder / f"ray-{number}"
        with suppress(OSError):
            for path in sorted(found for pattern in _OF_RAY for found in source.glob(pattern)):
                with path.open("rb") as file:
                    file.seek(max(0, path.stat().st_size - _MOST_BYTES))
                    content = file.read()
                if not _EMPTY.fullmatch(content):
                    taken.mkdir(parents=True, exist_ok=True)
                    (taken / path.name).write_bytes(content)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record down, and tell of a warning that says something new."""
        line = self.format(record)
        if self._file is None:
            self._waiting.append(line)
        else:
            with suppress(OSError):
                print(line, file=self._file, flush=True)
        if self._verbose:
            print(line, file=sys.stderr)
        if record.levelno >= logging.WARNING and record.name != OWN:
            source, text = _sentence(record)
            if text not in self._seen:
                self._seen.add(text)
                self._warned(source, text)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
        super().close()


class EventLog(Observer):
    """Writes events into the log, with all that is known of them: a client's traceback, say, when it is a new one."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def on_event(self, event: Event) -> None:
        """Write down an event."""
        if not isinstance(event, Notice):
            return
        details = event.details
        level = logging.INFO if event.name in _ORDINARY else logging.WARNING
        detail = details.get("detail", "")
        new = detail not in self._seen
        self._seen.add(detail)
        rest = ", ".join(f"{name}={value}" for name, value in details.items() if name != "detail")
        logging.getLogger(OWN).log(
            level, "round %d: %s %s%s", event.round, event.name, rest, f"\n{detail}" if new and detail else ""
        )


@contextmanager
def capture_logs(warned: Warned, verbose: bool = False) -> Iterator[Logs]:
    """Take what Flower, Ray, Python's warnings and Hothouse log, and keep it off the terminal.

    `warned` is told of each warning once; with `verbose` everything goes to standard error as well. Runs may
    overlap: each takes away only what it put there.
    """
    logs = Logs(warned, verbose)
    muted: list[logging.Handler] = []

    def mute(record: logging.LogRecord) -> bool:
        return False

    own = logging.getLogger(OWN)
    own.setLevel(logging.INFO)
    own.propagate = False
    for name in LOGGERS:
        logger = logging.getLogger(name)
        muted += [handler for handler in logger.handlers if not isinstance(handler, Logs)]
        logger.addHandler(logs)
    for handler in muted:
        handler.addFilter(mute)
    with _warnings_logged():
        try:
            yield logs
        finally:
            for name in LOGGERS:
                logging.getLogger(name).removeHandler(logs)
            for handler in muted:
                handler.removeFilter(mute)
            logs.close()


_captures = 0


@contextmanager
def _warnings_logged() -> Iterator[None]:
    """Python's warnings go to the logger py.warnings while anybody wants it."""
    global _captures
    _captures += 1
    logging.captureWarnings(True)
    try:
        yield
    finally:
        _captures -= 1
        if not _captures:
            logging.captureWarnings(False)


def _sentence(record: logging.LogRecord) -> tuple[str, str]:
    """Who warns, and what of, in a line: without the place in the source that Python's warnings begin with."""
    first = record.getMessage().strip().partition("\n")[0]
    source = {"py.warnings": "Python", f"{OWN}.worker": "a worker"}.get(record.name, record.name)
    return source, re.sub(r"^(py\.warnings: )?(\S+:\d+: )?", "", first)
