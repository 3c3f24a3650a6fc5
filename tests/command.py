"""The command line within this process: what it prints and its exit status, without the time that imports take."""

from __future__ import annotations

import contextlib
import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hothouse.cli import main


def command(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`hothouse` with these arguments, as if it had been started in `cwd`."""
    words = ["hothouse", *map(str, arguments)]
    out, errors, handler = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        patch.setattr(sys, "argv", words)
        if cwd is not None:
            patch.chdir(cwd)
        try:
            main()
        except SystemExit as end:
            status = end.code
        finally:
            signal.signal(signal.SIGTERM, handler)
    assert isinstance(status, int)
    return subprocess.CompletedProcess(words, status, out.getvalue(), errors.getvalue())
