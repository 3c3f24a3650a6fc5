"""The ways a command can fail: the user's input was wrong, the run could not continue, or was ended by the user."""

from __future__ import annotations

from pathlib import Path


class InputError(Exception):
    """The user's input was wrong (exit status 2). The message says where, what was expected and what to do.

    `key` names the scenario's key at fault where there is one; the command line adds its file and line.
    """

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(f"{key}: {message}" if key else message)
        self.key = key


class RunError(Exception):
    """The run could not continue (exit status 1). What it had is kept and the message says why it stopped."""


class RunsFailed(RunError):
    """Some of many runs failed; the others went on. The message says which and why."""


class Interrupted(Exception):
    """The user ended a run or a sweep (exit status 1). The message says how to resume it."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` is the run's or the sweep's, where it came so far."""
        going_on = f"; {folder} is marked incomplete, `hothouse resume {folder}` goes on with it" if folder else ""
        super().__init__(f"interrupted{going_on}")
