"""The two ways a command can fail: the user's input was wrong, or the run could not go on."""

from __future__ import annotations


class InputError(Exception):
    """The user's input was wrong (exit status 2). The message says where, what was expected and what to do.

    `key` names the scenario's key at fault where there is one; the command line adds its file and line.
    """

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(f"{key}: {message}" if key else message)
        self.key = key


class RunError(Exception):
    """The run could not go on (exit status 1). What it had is kept and the message says why it stopped."""
