"""Where Flower's own log goes while a run lasts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def logs_into(folder: Path) -> Iterator[None]:
    """Write Flower's log to `folder`/flower.log and not to the terminal."""
    folder.mkdir(parents=True, exist_ok=True)
    logger = logging.getLogger("flwr")
    before, propagates = list(logger.handlers), logger.propagate
    file = logging.FileHandler(folder / "flower.log")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.handlers, logger.propagate = [file], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before, propagates
        file.close()
