"""A checkpoint is whole or not there, and is not trusted when it is damaged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.checkpoints import Checkpoints, latest, write_whole
from server.state import RunState

ABOUT = {"scenario": {"seed": 1}, "data": "abc", "versions": {"hothouse": "0"}}


def state(number: int) -> RunState:
    rng = np.random.default_rng(number)
    return RunState(
        round=number,
        parameters={"w": rng.normal(size=(3, 4)).astype(np.float32), "steps": np.array(number)},
        strategy={"m_t/w": rng.normal(size=(3, 4))},
        versions=np.array([0, number, 0, number]),
        clients={"velocity.w": rng.normal(size=(2, 3, 4)).astype(np.float32)},
        metrics={"round": number, "train_loss": 0.1 + number},
    )


def nobody(path: Path, reason: str) -> None:
    raise AssertionError(f"{path} is damaged: {reason}")


def assert_equal(one: RunState, other: RunState) -> None:
    assert (one.round, one.metrics) == (other.round, other.metrics)
    assert np.array_equal(one.versions, other.versions)
    for part in ("parameters", "strategy", "clients"):
        mine, theirs = getattr(one, part), getattr(other, part)
        assert set(mine) == set(theirs)
        for name, array in mine.items():
            assert array.dtype == theirs[name].dtype
            assert array.shape == theirs[name].shape
            assert array.tobytes() == theirs[name].tobytes()


def test_a_checkpoint_gives_back_what_was_saved(tmp_path: Path) -> None:
    Checkpoints(tmp_path, 2, ABOUT).save(state(4))
    loaded = latest(tmp_path, nobody)
    assert loaded is not None
    assert_equal(loaded.state, state(4))
    assert loaded.about == ABOUT


def test_the_newest_are_kept_and_the_best_besides(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 2, ABOUT)
    checkpoints.save_best(state(1))
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
    checkpoints.save(state(1))
    file = checkpoints.save(state(2))
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
