"""Which software this is: its version, and a hash over the files and the kernel that results depend on."""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

_PACKAGES = ("flwr", "torch", "numpy", "scipy", "scikit-learn")
_OURS = ("common", "server", "clients")
_HERE = Path(__file__).parents[1]
_SOURCES = re.compile(rb"hothouse-kernel:([0-9a-f]{16})")
"""What setup.py has the compiler put into the kernel: a hash over its sources."""


def versions() -> dict[str, str]:
    """The versions of the software that the bits depend on."""
    return {"hothouse": identity(), **{name: version(name) for name in _PACKAGES}}


@lru_cache(maxsize=1)
def identity() -> str:
    """This software's version and a hash over its Python files and its kernel's sources: `0.2.0+1a2b3c4d5e6f`."""
    total = hashlib.blake2b(digest_size=6)
    for package in _OURS:
        for path in sorted((_HERE / package).rglob("*.py")):
            content = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
            total.update(f"{path.relative_to(_HERE).as_posix()} {content}\n".encode())
    total.update(_kernel_sources())
    return f"{version('hothouse')}+{total.hexdigest()}"


def kernel_file() -> Path | None:
    """Where the compiled trainer is: beside its Python files, else in the installed package.

    Flower runs the project from a bundle of its Python files; what was compiled is where the package was installed.
    It is taken from there only if it is called there just as here.
    """
    if (spec := find_spec("clients.compiled._kernel")) and spec.origin:
        return Path(spec.origin)
    caller = Path("clients", "compiled", "library.py")
    found = sorted((_installed() / caller.parent).glob("_kernel*.so"))
    if found and (_installed() / caller).read_bytes() == (_HERE / caller).read_bytes():
        return found[0]
    return None


def _kernel_sources() -> bytes:
    file = kernel_file()
    found = _SOURCES.search(file.read_bytes()) if file is not None else None
    return found[1] if found else b""


def _installed() -> Path:
    """Where the package was installed, or the project it was installed from to be edited."""
    try:
        package = distribution("hothouse")
    except PackageNotFoundError:
        return Path()
    origin = json.loads(package.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        return Path(url2pathname(urlparse(origin["url"]).path))
    return Path(str(package.locate_file("")))
