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

from common.errors import RunError

_SOCKET = "/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store.1"
"""What Ray appends to a folder to name a socket."""
_LONGEST_SOCKET = 107
_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Set to 0, Ray listens on loopback only, as it does on macOS to avoid questions of its firewall."""


@contextmanager
def private_ray() -> Iterator[Path]:
    """While this lasts, a Ray that is started here is private; its `_temp_dir` must lie in the folder that this yields.

    Ray lets everybody into the `_temp_dir` itself (mode 0777); nobody else can enter the folder around it (0700).
    Processes that are started meanwhile, such as workers, inherit from the environment what they need to take part.
    Afterwards the environment is as it was, and the folder is gone.
    Raises RunError where the installed Ray offers no way to keep it on loopback.
    """
    import ray
    from ray._private import ray_constants

    if not hasattr(ray_constants, "ENABLE_RAY_CLUSTER"):
        raise RunError("this version of Ray cannot be kept on loopback; install one that constraints.txt names")
    # As long as a token of Ray's own generator, and longer than the shortest that Ray accepts.
    settings = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), _LOOPBACK: "0"}
    before = {name: os.environ.get(name) for name in (*settings, "RAY_AUTH_TOKEN_PATH")}
    clusters = ray_constants.ENABLE_RAY_CLUSTER
    folder = Path(tempfile.mkdtemp(prefix="hothouse-", dir=_base()))
    os.environ.pop("RAY_AUTH_TOKEN_PATH", None)
    os.environ.update(settings)
    ray_constants.ENABLE_RAY_CLUSTER = False  # read from the environment when Ray was imported
    _reread()
    try:
        yield folder
    finally:
        # What still runs would write into the folder that goes.
        ray.shutdown()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        ray_constants.ENABLE_RAY_CLUSTER = clusters
        _reread()
        shutil.rmtree(folder, ignore_errors=True)


def _reread() -> None:
    """Have Ray read the token and whether it is needed anew: it keeps what it found first."""
    import ray._raylet as compiled  # without types

    compiled.AuthenticationTokenLoader.instance().reset_cache()  # type: ignore[attr-defined]
    compiled.Config.initialize("")  # type: ignore[attr-defined]


def _base() -> Path:
    """The folder for temporary files, or the common one where its name is too long for Ray's sockets."""
    usual = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir())
    longest = f"{usual}/hothouse-12345678/ray{_SOCKET}"
    # What every Unix has, whatever else is set.
    common = Path(os.sep, "tmp")
    return common if len(os.fsencode(longest)) > _LONGEST_SOCKET and os.access(common, os.W_OK) else usual
