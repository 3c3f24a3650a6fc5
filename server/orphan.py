"""The end of a ServerApp whose SuperLink has died.

Flower interrupts it then, which a main thread that is sending does not feel: it tries again without end, and once the
SuperLink is back it could only be in the way of the run that was submitted in its place.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence

_OPTION = "--parent-pid"
"""How Flower tells a process which other it depends on."""
_GRACE_SECONDS = 20.0
"""How long it may take to end by itself."""


def end_with_parent(arguments: Sequence[str] | None = None, grace: float = _GRACE_SECONDS) -> None:
    """End this process `grace` seconds after the one that its command line names as its parent; if none is, never.

    What is on disk bears that as it bears any kill.
    """
    arguments = sys.argv if arguments is None else arguments
    if _OPTION not in arguments:
        return
    parent = int(arguments[arguments.index(_OPTION) + 1])

    def watch() -> None:
        while _exists(parent):
            time.sleep(1.0)
        time.sleep(grace)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True
