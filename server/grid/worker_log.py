"""What libraries complain of inside a worker's process, brought to the server with the next answer."""

from __future__ import annotations

import logging

_MOST = 100
"""Different complaints that one worker tells of."""


class WarningLog(logging.Handler):
    """Keeps warnings and errors that are logged in this process, each text once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._seen: set[str] = set()
        self._new: list[str] = []
        logging.captureWarnings(True)
        logging.getLogger().addHandler(self)
        # Flower's logger keeps its records to itself.
        logging.getLogger("flwr").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, if it says something new."""
        text = f"{record.name}: {record.getMessage().strip()}"
        if text not in self._seen and len(self._seen) < _MOST:
            self._seen.add(text)
            self._new.append(text)

    def new(self) -> list[str]:
        """What came since this was asked last."""
        told, self._new = self._new, []
        return told
