"""A checkpoint is whole or not there, and is not trusted when it is damaged."""

from __future__ import annotations

import os
import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from common.arrays import NamedArrays
from common.data.prepared import Indices
from server.exchange.client_states import ClientState, ClientStateSync
from server.exchange.federation import Federation
from server.exchange.run_context import RunContext
from server.exchange.sending import Exchange
from server.grid.local import LocalGrid
from server.grid.states import ClientStates
from server.record.checkpoints import BEST, Checkpoints, LoadedCheckpoint, latest, name_of, write_whole
from server.record.state import RunState

ABOUT = {"scenario": {"seed": 1}, "data": "abc", "versions": {"hothouse": "0"}}


def state(number: int) -> RunState:
    rng = np.random.default_rng(number)
    return RunState(
        round=number,
        parameters={"w": rng.normal(size=(3, 4)).astype(np.float32), "steps": np.array(number)},
        buffers={"norms.0.running_var": rng.uniform(size=4).astype(np.float32)},
        strategy={"m_t/w": rng.normal(size=(3, 4))},
        selection={"last": np.array([0, number, 0, number])},
        versions=np.array([0, number, 0, number]),
        metrics={"round": number, "train_loss": 0.1 + number},
    )


def kept(number: int) -> list[ClientState]:
    """What clients 1 and 3 keep, a part each."""
    rng = np.random.default_rng(number)
    return [
        ClientState(np.array([place]), {"velocity.w": rng.normal(size=(1, 3, 4)).astype(np.float32)})
        for place in (1, 3)
    ]


def nobody(path: Path, reason: str) -> None:
    raise AssertionError(f"{path} is damaged: {reason}")


def assert_equal(one: RunState, other: RunState) -> None:
    assert (one.round, one.metrics) == (other.round, other.metrics)
    assert np.array_equal(one.versions, other.versions)
    for part in ("parameters", "buffers", "strategy", "selection"):
        assert_same_arrays(getattr(one, part), getattr(other, part))


def assert_same_arrays(mine: NamedArrays, theirs: NamedArrays) -> None:
    assert set(mine) == set(theirs)
    for name, array in mine.items():
        assert array.dtype == theirs[name].dtype
        assert array.shape == theirs[name].shape
        assert array.tobytes() == theirs[name].tobytes()


def assert_kept(loaded: LoadedCheckpoint, number: int) -> None:
    for mine, theirs in zip(loaded.client_states(), kept(number), strict=True):
        assert np.array_equal(mine.places, theirs.places)
        assert_same_arrays(mine.states, theirs.states)


def test_a_checkpoint_gives_back_what_was_saved(tmp_path: Path) -> None:
    Checkpoints(tmp_path, 2, ABOUT).save(state(4), kept(4))
    loaded = latest(tmp_path, nobody)
    assert loaded is not None
    assert_equal(loaded.state, state(4))
    assert_kept(loaded, 4)
    assert loaded.about == ABOUT


def test_a_client_that_could_not_be_asked_has_no_state_in_the_checkpoint(tmp_path: Path) -> None:
    Checkpoints(tmp_path, 2, ABOUT).save(state(4), kept(4)[1:])
    loaded = latest(tmp_path, nobody)
    assert loaded is not None
    assert loaded.state.versions.tolist() == [0, 0, 0, 4]


def test_what_clients_keep_is_written_once_and_goes_with_the_last_checkpoint_that_names_it(tmp_path: Path) -> None:
    def parts() -> set[str]:
        return {path.name.split("-")[1] for path in tmp_path.glob("clients-*")}

    checkpoints = Checkpoints(tmp_path, 1, ABOUT)
    alone = checkpoints.save(state(1), kept(1))
    assert checkpoints.save(state(1), kept(1), BEST) < alone, "the best checkpoint names the same parts"
    assert len(list(tmp_path.glob("clients-*"))) == 2
    checkpoints.save(state(2), kept(2))
    checkpoints.save(state(3), kept(3))
    assert parts() == {"000001", "000003"}, "of the best round and of the newest"
    checkpoints.save(state(3), kept(3), BEST)
    assert parts() == {"000003"}


def test_a_part_that_does_not_fit_leaves_the_checkpoint_before_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path, 2, ABOUT)
    checkpoints.save(state(1), kept(1))
    before = sorted(tmp_path.iterdir())

    def full(path: Path, content: bytes) -> None:
        if len(list(tmp_path.glob("clients-000002-*"))):
            raise OSError(28, os.strerror(28), str(path))
        write_whole(path, content)

    monkeypatch.setattr("server.record.checkpoints.write_whole", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(state(2), kept(2))
    assert sorted(tmp_path.iterdir()) == before
    loaded = latest(tmp_path, nobody)
    assert loaded is not None
    assert_kept(loaded, 1)


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_part_is_named_and_the_checkpoint_before_is_used(tmp_path: Path, damage: str) -> None:
    checkpoints = Checkpoints(tmp_path, 2, ABOUT)
    for number in (1, 2):
        checkpoints.save(state(number), kept(number))
    part = min(tmp_path.glob("clients-000002-*"))
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content[:-7] if damage == "cut" else content)
    if damage == "gone":
        part.unlink()
    told: list[tuple[str, str]] = []
    loaded = latest(tmp_path, lambda path, reason: told.append((path.name, reason)))
    assert loaded is not None
    assert_kept(loaded, 1)
    assert [name for name, _ in told] == ["round-000002.safetensors"]
    assert part.name in told[0][1]


@pytest.mark.slow
def test_states_beyond_memory_are_saved_and_given_back_part_by_part(tmp_path: Path) -> None:
    """2,000 clients keep 200 MB, of which 20 MB may stay in memory."""
    clients, weights = np.arange(2000), {"w": np.zeros((1 << 19,), np.float32)}
    federation = Federation([0], clients, np.ones_like(clients), np.zeros_like(clients), None, [])

    def keeping() -> tuple[ClientStates, ClientStateSync]:
        grid = LocalGrid("clients.app:app", [{}], {})
        grid.states = ClientStates(memory=20_000_000)
        run = SimpleNamespace(exchange=Exchange(grid, [0]), federation=federation, blocks=8)
        return grid.states, ClientStateSync(cast(RunContext, run))

    def of(some: Indices) -> NamedArrays:
        return {"v": np.repeat(some[:, None], 25_000, axis=1).astype(np.float32)}

    states, kept_here = keeping()
    for some in np.array_split(clients, 100):
        states.put(4, some, of(some))
    after = replace(state(4), versions=np.full(2000, 4))
    tracemalloc.start()
    size = Checkpoints(tmp_path, 2, ABOUT).save(after, kept_here.collect(after.versions, weights))
    states.close()
    loaded = latest(tmp_path, nobody)
    assert loaded is not None
    states, kept_again = keeping()
    kept_again.restore(loaded.state.versions, loaded.client_states())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 200_000_000
    assert most < 100_000_000
    for some in np.array_split(clients, 100):
        found, fresh = states.get(some, after.versions[some])
        assert not fresh.any()
        assert np.array_equal(found["v"], of(some)["v"])
    states.close()


def test_the_newest_are_kept_and_the_best_besides(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 2, ABOUT)
    checkpoints.save(state(1), name=BEST)
    for number in (2, 9, 10, 100):
        checkpoints.save(state(number))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best.safetensors",
        "round-000010.safetensors",
        "round-000100.safetensors",
    ]
    loaded = latest(tmp_path, nobody)
    assert loaded is not None
    assert loaded.state.round == 100


def test_nothing_saved_is_nothing_found(tmp_path: Path) -> None:
    assert latest(tmp_path / "nowhere", nobody) is None


def test_every_damage_is_noticed_and_the_one_before_is_used(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 2, ABOUT)
    for number in (1, 2):
        checkpoints.save(state(number), kept(number))
    file = tmp_path / name_of(2)
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    damages = [whole[:cut] for cut in (0, 1, 8, 100, len(whole) // 2, len(whole) - 1)]
    for place in [0, 5, 9, len(whole) - 1, *rng.integers(0, len(whole), 60).tolist()]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        damages.append(bytes(flipped))
    for damage in damages:
        file.write_bytes(damage)
        told: list[tuple[str, str]] = []
        loaded = latest(tmp_path, lambda path, reason: told.append((path.name, reason)))  # noqa: B023
        assert loaded is not None
        if told:
            assert told[0][0] == "round-000002.safetensors"
            assert_equal(loaded.state, state(1))
        else:
            # A bit of white space in the header may change without changing what it says.
            assert_equal(loaded.state, state(2))


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_machine_that_stops_while_saving_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    write_whole(tmp_path / "file", b"before")

    def stop(*arguments: Any, **options: Any) -> None:
        raise OSError(28, os.strerror(28), "file")

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", stop)
    elif step == "replace":
        monkeypatch.setattr(Path, "replace", stop)
    else:
        monkeypatch.setattr(Path, "open", stop)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "file", b"after")
    monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
