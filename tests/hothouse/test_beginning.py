"""The first minute: a scenario by its name, a copy to start from, and both wherever Hothouse is installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import hothouse
from common.scenario import load_scenario
from common.scenario.shipped import shipped
from tests.command import command
from tests.conftest import REPOSITORY


def test_a_scenario_that_ships_is_known_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = hothouse.run("quickstart", overrides=["federation.rounds=1"], engine="local", out="run")
    assert run.scenario.name == "quickstart"
    assert load_scenario("papers/mcmahan2017-2nn").federation.strategy.name == "fedavg"
    Path("quickstart").write_text("name: mine\ndata: {source: {kind: sklearn}}\n")
    assert load_scenario("quickstart").name == "mine", "a file here goes first"


def test_a_name_that_is_none_is_told_the_nearest(tmp_path: Path) -> None:
    done = command("run", "quikstart", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "quikstart: no such file; quickstart ships with Hothouse\n")


@pytest.mark.parametrize("like", ["quickstart", "bikes"])
def test_a_new_scenario_is_a_commented_copy(tmp_path: Path, like: str) -> None:
    done = command("new", "mine", "--like", like, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "mine.yaml").read_text()
    assert "name: mine\n" in text
    assert text.startswith("# ")
    assert load_scenario(tmp_path / "mine.yaml").training == load_scenario(like).training
    again = command("new", "mine", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (2, "mine.yaml: exists already; choose another name\n")
    wrong = command("new", "other", "--like", "bike", cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr) == (2, "no scenario 'bike' ships with Hothouse; did you mean bikes?\n")


@pytest.mark.slow
def test_scenarios_travel_in_the_wheel(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", str(tmp_path)]
    subprocess.run([*words, str(REPOSITORY)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    assert {f"scenarios/{name}.yaml" for name in shipped()} <= set(inside)
    assert "hothouse/report/page.css" in inside
