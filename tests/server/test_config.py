"""What a run under Flower is told by its config."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from server.config import RunConfig


def test_a_folder_with_files_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    config = RunConfig({"out": str(tmp_path)})
    with pytest.raises(InputError, match=rf"{tmp_path} exists and is not empty; choose another out$"):
        config.folder("run", begins=True)
    assert config.folder("run", begins=False) == tmp_path
    (tmp_path / "scenario.yaml").write_text("seed: 1")
    with pytest.raises(InputError, match="choose another out, or resume=true goes on with the run in it"):
        config.folder("run", begins=True)


def test_a_new_or_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new"):
        assert RunConfig({"out": str(tmp_path / name)}).folder("run", begins=True) == tmp_path / name
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        RunConfig({"out": str(tmp_path / "file")}).folder("run", begins=True)
