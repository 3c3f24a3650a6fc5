"""A ServerApp ends with its parent even where an interruption does not reach it."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Asleep in a lock like a main thread whose helpers try to send, and deaf to interruptions as it is there.
DEAF = """
import signal, sys, threading
from server.orphan import end_with_parent
signal.signal(signal.SIGINT, signal.SIG_IGN)
end_with_parent(grace=0.5)
print("there", flush=True)
threading.Event().wait()
"""


def deaf(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DEAF, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    return process


@pytest.mark.faults
def test_it_ends_a_while_after_its_parent_and_not_before() -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    orphan, other = deaf("--parent-pid", parent.pid), deaf()
    with pytest.raises(subprocess.TimeoutExpired):
        orphan.wait(2)
    parent.kill()
    parent.wait()
    assert orphan.wait(20) == 1
    with pytest.raises(subprocess.TimeoutExpired):
        other.wait(2)
    other.kill()
    other.wait()
