"""What keeps a Ray of our own private: a random token, loopback only, and a folder that nobody else can enter.

Ray runs whatever code it is sent. By default its processes accept anybody on every network interface, and its folders
and sockets can be replaced by every user of the machine.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.compat.ray import LONGEST_SOCKET, LOOPBACK, on_loopback, reload_token

_LONGEST_SOCKET = 107


@contextmanager
def private_ray() -> Iterator[Path]:
    """While this lasts, a Ray that is started here is private; its `_temp_dir` must lie in the folder that this yields.

    Ray lets everybody into the `_temp_dir` itself (mode 0777); nobody else can enter the folder around it (0700).
    Processes that are started meanwhile, such as workers, inherit from the environment what they need to take part.
    Afterwards the environment is as it was, and the folder is gone.
    Raises RunError where the installed Ray offers no way to keep it on loopback.
    """
    import ray

    # As long as a token of Ray's own generator, and longer than the shortest that Ray accepts.
    settings = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), **LOOPBACK}
    before = {name: os.environ.get(name) for name in (*settings, "RAY_AUTH_TOKEN_PATH")}
    folder = Path(tempfile.mkdtemp(prefix="hothouse-", dir=_base()))
    os.environ.pop("RAY_AUTH_TOKEN_PATH", None)
    os.environ.update(settings)
    try:
        with on_loopback():
            reload_token()
            yield folder
    finally:
        # What still runs would write into the folder that goes.
        ray.shutdown()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        reload_token()
        shutil.rmtree(folder, ignore_errors=True)


def _base() -> Path:
    """The folder for temporary files, or the common one where its name is too long for Ray's sockets."""
    usual = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir())
    longest = f"{usual}/hothouse-12345678/ray{LONGEST_SOCKET}"
    # What every Unix has, whatever else is set.
    common = Path(os.sep, "tmp")
    return common if len(os.fsencode(longest)) > _LONGEST_SOCKET and os.access(common, os.W_OK) else usual
