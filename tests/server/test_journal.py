"""A journal's file is all there is of it: it survives kills, full disks and the removal of its folder."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from common.run_files import read_lines
from common.wording import short
from server.record.journal import JsonLinesFile

ENTRIES = [{"round": number, "text": "ä" * number} for number in range(6)]


def test_entries_are_in_the_file_as_they_come(tmp_path: Path) -> None:
    journal = JsonLinesFile(tmp_path / "j.jsonl", ENTRIES[:2])
    for number in range(2, 6):
        journal.append(ENTRIES[number])
        assert read_lines(tmp_path / "j.jsonl") == ENTRIES[: number + 1]
    assert journal.entries() == ENTRIES
    journal.close()


def test_numbers_that_json_does_not_have_become_null(tmp_path: Path) -> None:
    journal = JsonLinesFile(tmp_path / "j.jsonl")
    journal.append({"loss": float("nan"), "all": [1.5, float("inf")]})
    assert journal.entries() == [{"loss": None, "all": [1.5, None]}]
    journal.close()


def test_a_removed_folder_comes_back(tmp_path: Path) -> None:
    journal = JsonLinesFile(tmp_path / "run" / "j.jsonl", ENTRIES[:2])
    shutil.rmtree(tmp_path / "run")
    journal.append(ENTRIES[2])
    journal.close()
    assert read_lines(tmp_path / "run" / "j.jsonl") == ENTRIES[:3]


def test_a_disk_that_was_full_for_a_while_costs_no_entry(tmp_path: Path) -> None:
    """A file of at most so many bytes, as a full disk is: a part of a line goes through, then nothing."""
    import resource
    import signal

    journal = JsonLinesFile(tmp_path / "j.jsonl", ENTRIES[:2])
    whole = (tmp_path / "j.jsonl").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole + 10, limits[1]))
    try:
        journal.append(ENTRIES[2])
        journal.append(ENTRIES[3])
        assert (tmp_path / "j.jsonl").stat().st_size == whole + 10
        assert journal.entries() == ENTRIES[:4]
        with pytest.raises(OSError, match="too large"):
            JsonLinesFile(tmp_path / "other.jsonl", ENTRIES * 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    journal.append(ENTRIES[4])
    journal.close()
    assert read_lines(tmp_path / "j.jsonl") == ENTRIES[:5]


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_short_numbers_are_those_that_people_would_write(kind: type) -> None:
    rng = np.random.default_rng(0)
    usual = (rng.lognormal(0, 4, 2000).clip(1e-12, 9e4) * rng.choice([-1, 1], 2000)).astype(kind)
    odd = np.array([0.0, 1.0, -2.5, 123456.7, 9876543.0, 1e-30, math.inf, 0.1], kind)
    for values in (usual, odd, odd[:0]):
        assert short(values) == [float(f"{value:.6g}") for value in values.tolist()]
    assert math.isnan(short(np.array([math.nan], kind))[0])
