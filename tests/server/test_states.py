"""A client's state is kept in the version that was committed and in the newest: an answer can be repeated."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from server.grid.states import ClientStates


def rows(clients: np.ndarray, version: int, size: int = 3) -> dict[str, np.ndarray]:
    """States that tell whose and which they are."""
    return {"v": np.stack([np.full(size, client * 1000.0 + version) for client in clients])}


def value(states: ClientStates, client: int, version: int) -> float:
    found, _ = states.get(np.array([client]), np.array([version]))
    return float(found["v"][0, 0])


A, B = np.array([1, 2, 3]), np.array([4, 5])


def test_who_has_kept_nothing_is_told() -> None:
    states = ClientStates()
    found, fresh = states.get(A, np.zeros(3, np.int64))
    assert found == {}
    assert fresh.tolist() == [True, True, True]
    states.put(1, A, rows(A, 1))
    found, fresh = states.get(np.array([2, 9]), np.array([1, 0]))
    assert fresh.tolist() == [False, True]
    assert found["v"][:, 0].tolist() == [2001.0, 0.0]


def test_a_repeated_message_builds_on_the_same_version() -> None:
    states = ClientStates()
    states.put(1, A, rows(A, 1))
    assert value(states, 2, 1) == 2001
    states.put(2, A, rows(A, 2))
    assert value(states, 2, 1) == 2001, "the first answer was lost; its message comes again"
    states.put(2, A, rows(A, 2))
    assert value(states, 2, 2) == 2002


def test_a_version_that_was_never_committed_gives_way() -> None:
    states = ClientStates()
    states.put(1, A, rows(A, 1))
    states.get(A, np.ones(3, np.int64))
    states.put(2, A, rows(A, 2))
    states.get(A, np.ones(3, np.int64))
    states.put(3, A, rows(A, 3))
    assert value(states, 1, 3) == 1003
    with pytest.raises(KeyError):
        states.get(A, np.full(3, 2))


def test_old_versions_are_dropped() -> None:
    states = ClientStates()
    for version in range(1, 50):
        states.put(version, A, rows(A, version))
        states.get(A, np.full(3, version))
    assert len(states._batches) <= 2
    assert len(states._places[1]) <= 2


def test_clients_come_from_different_rounds() -> None:
    states = ClientStates()
    states.put(1, A, rows(A, 1))
    states.put(2, B, rows(B, 2))
    states.put(3, A[:1], rows(A[:1], 3))
    found, _ = states.get(np.array([5, 1, 2]), np.array([2, 3, 1]))
    assert found["v"][:, 0].tolist() == [5002.0, 1003.0, 2001.0]


def test_states_beyond_memory_go_to_disk_and_come_back() -> None:
    states = ClientStates(memory=100_000)
    clients = np.arange(100)
    for part in np.split(clients, 10):
        states.put(1, part, rows(part, 1, size=5_000))
    assert states._held <= 100_000
    assert states._folder is not None
    folder = Path(states._folder.name)
    assert len(list(folder.iterdir())) == 10
    found, _ = states.get(clients[::-1], np.ones(100, np.int64))
    assert found["v"][:, 0].tolist() == [client * 1000.0 + 1 for client in clients[::-1]]
    for part in np.split(clients, 10):
        states.put(2, part, rows(part, 2, size=5_000))
        states.get(part, np.full(10, 2))
        states.put(3, part, rows(part, 3, size=5_000))
    assert len(list(folder.iterdir())) == 20, "what nobody can name any more is removed"
    states.close()
    assert not folder.exists()


@pytest.mark.slow
def test_ten_thousand_clients_are_quick() -> None:
    states = ClientStates()
    clients = np.arange(10_000)
    started = time.perf_counter()
    for version in range(1, 4):
        for part in np.split(clients, 100):
            states.put(version, part, rows(part, version, size=100))
        states.get(clients, np.full(10_000, version))
    assert time.perf_counter() - started < 3
    assert len(states._batches) <= 200
