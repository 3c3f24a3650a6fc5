"""What a run does depends on its scenario, not on where it is started and what the environment says to others."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import hothouse
from common.cache_folder import cache_folder
from common.errors import InputError
from common.scenario import load_scenario
from tests.processes import HOTHOUSE
from tests.resuming import assert_same

SHORT = ["federation.rounds=1"]


@pytest.mark.slow
def test_a_hostile_folder_and_environment_change_nothing(quickstart: Path, tmp_path: Path) -> None:
    here = tmp_path / "theirs"
    for name in ("server.py", "clients.py", "common/__init__.py", "numpy.py", "ray.py"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text("raise SystemExit('a file of the user')")
    long = tmp_path / ("x" * 120)
    long.mkdir()
    environment = {**os.environ, "RAY_ADDRESS": "192.0.2.1:6379", "TMPDIR": str(long), "LC_ALL": "C", "PYTHONUTF8": "0"}
    words = [HOTHOUSE, "run", str(quickstart), "--workers", "1", "--set", *SHORT, "--out", str(tmp_path / "run")]
    done = subprocess.run(words, cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    calm = hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path / "calm")
    assert_same(hothouse.load(tmp_path / "run"), calm)


def test_a_user_without_a_home_has_a_cache_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("HOTHOUSE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pathlib.Path.home", homeless)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cache_folder() == tmp_path / f"hothouse-{os.getuid()}"
    assert cache_folder().stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr("os.getuid", lambda: 12345)
    (tmp_path / "hothouse-12345").mkdir()
    with pytest.raises(InputError, match="belongs to another user"):
        cache_folder()


def test_a_number_sign_may_be_a_part_of_a_path(tmp_path: Path) -> None:
    chosen = load_scenario(
        {"data": {"source": {"kind": "npz", "path": "x"}}}, [f"data.source.path={tmp_path}/run #1/a.npz"]
    )
    assert chosen.data.source.path == f"{tmp_path}/run #1/a.npz"  # type: ignore[union-attr]
