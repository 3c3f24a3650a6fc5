"""What a deployed host's clients keep is there for those who build on it, and not for ever."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from clients.host.states import StateStore

CLIENTS = np.array([3, 8])


def kept(value: float) -> dict[str, np.ndarray]:
    return {"velocity": np.full((2, 5), value, np.float32)}


def test_the_version_that_was_built_on_and_the_newest_are_there(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "7")
    for version in (1, 2, 3):
        committed = np.full(2, version - 1)
        store.write(CLIENTS, committed, np.full(2, version), kept(version))
    assert np.array_equal(store.read(CLIENTS, np.array([3, 2]))["velocity"][:, 0], [3, 2])
    with pytest.raises(KeyError, match="client 3 kept in round 1"):
        store.read(CLIENTS, np.array([1, 0]))


def test_what_a_run_left_goes_when_another_begins_a_month_later(tmp_path: Path) -> None:
    for run in ("7", "8"):
        StateStore(tmp_path / run).write(CLIENTS, np.zeros(2, int), np.ones(2, int), kept(1))
    long_ago = time.time() - 31 * 86_400
    os.utime(tmp_path / "7", (long_ago, long_ago))
    (tmp_path / "somebody-else's").mkdir()
    os.utime(tmp_path / "somebody-else's", (long_ago, long_ago))
    StateStore(tmp_path / "9").write(CLIENTS, np.zeros(2, int), np.ones(2, int), kept(1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["8", "9", "somebody-else's"]
