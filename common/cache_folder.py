"""Where this machine keeps what can be made anew: prepared data, copies of what scenarios use."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from common.errors import InputError


def cache_folder() -> Path:
    """Where prepared data is kept: $HOTHOUSE_CACHE, else hothouse in the user's cache folder.

    A user without a home has a folder among the temporary ones. Raises InputError where that is somebody else's.
    """
    if chosen := os.environ.get("HOTHOUSE_CACHE"):
        return Path(chosen).absolute()
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen) / "hothouse"
    try:
        return Path.home() / ".cache" / "hothouse"
    except RuntimeError:
        folder = Path(tempfile.gettempdir()) / f"hothouse-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise InputError(f"{folder} belongs to another user; set HOTHOUSE_CACHE to a folder of your own")
    return folder
