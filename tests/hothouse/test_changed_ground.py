"""Runs on other data or by other software are told apart, and a sweep does not mix them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import common.software
import hothouse
from common.software import identity, kernel_file, versions
from hothouse.comparison.groups import differing_keys
from tests.command import command


def table(folder: Path, flipped: bool = False) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 2))
    y = (x[:, 0] > 0) ^ flipped
    rows = "".join(f"{a:.3f},{b:.3f},{int(c)}\n" for (a, b), c in zip(x, y, strict=True))
    (folder / "t.csv").write_text("a,b,y\n" + rows)
    return folder


def scenario(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "name": "table",
        "data": {
            "source": {"kind": "csv", "path": str(folder / "t.csv"), "target": "y"},
            "test_fraction": 0.2,
            "validation_fraction": 0.1,
            "partition": {"scheme": "iid", "clients": 3},
        },
        "model": {"layers": []},
        "federation": {"rounds": 2},
        **more,
    }


@pytest.fixture
def other_software(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("server.record.summary", "server.record.resume"):
        monkeypatch.setattr(f"{place}.versions", lambda: versions() | {"hothouse": "9.9.9+abc"})


def test_the_software_is_its_version_its_files_and_its_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = hothouse.run(scenario(table(tmp_path)), engine="local", out=tmp_path / "run")
    assert run.summary["versions"]["hothouse"] == identity()
    release, _, digest = identity().partition("+")
    assert release == hothouse.__version__
    assert len(digest) == 12
    identities = {identity()}
    for package in ("common", "server", "clients"):
        for name, text in (("a.py", "x = 1"), ("a.py", "x = 2"), ("b.py", "x = 2")):
            (tmp_path / "installed" / package).mkdir(parents=True, exist_ok=True)
            (tmp_path / "installed" / package / name).write_text(text)
            monkeypatch.setattr(common.software, "_HERE", tmp_path / "installed")
            identities.add(identity.__wrapped__())
    assert len(identities) == 10
    if kernel_file() is not None:
        monkeypatch.setattr(common.software, "_kernel_sources", lambda: b"0123456789abcdef")
        identities.add(identity.__wrapped__())
        assert len(identities) == 11


def test_runs_on_corrected_data_are_compared_with_those_before(tmp_path: Path) -> None:
    for name, flipped in (("before", True), ("after", False), ("again", False)):
        hothouse.run(scenario(table(tmp_path, flipped)), engine="local", out=tmp_path / name)
    found = hothouse.compare([tmp_path / name for name in ("before", "after", "again")])
    assert [group.label for group in found.groups] == ["table", "other data"]
    assert found.found.left_out == [(tmp_path / "again", f"it repeats {tmp_path / 'after'}")]


def test_seeds_and_other_cuts_of_the_same_data_are_not_other_data(tmp_path: Path) -> None:
    chosen = scenario(table(tmp_path))
    cut = scenario(tmp_path, name="uneven")
    cut["data"]["partition"] = {"scheme": "dirichlet", "clients": 3, "alpha": 0.9}
    for name, one in (("even", chosen), ("uneven", cut)):
        for seed in (1, 2):
            hothouse.run(one, seed=seed, engine="local", out=tmp_path / f"{name}-{seed}")
    found = hothouse.compare([tmp_path / f"{name}-{seed}" for name in ("even", "uneven") for seed in (1, 2)])
    assert [(group.label, len(group.runs)) for group in found.groups] == [("table", 2), ("uneven", 2)]
    assert "content of the data" not in differing_keys(found.groups)


def test_runs_of_other_software_are_told_apart(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    chosen = scenario(table(tmp_path))
    hothouse.run(chosen, engine="local", out=tmp_path / "old")
    request.getfixturevalue("other_software")
    hothouse.run(chosen, engine="local", out=tmp_path / "new")
    found = hothouse.compare([tmp_path / "old", tmp_path / "new"])
    assert [group.label for group in found.groups] == ["table", "other software"]
    with pytest.raises(hothouse.InputError, match=r"versions\.hothouse: was .*, is 9\.9\.9\+abc"):
        hothouse.resume(tmp_path / "old", rounds=3, engine="local")


def test_a_sweep_does_not_go_on_with_other_data(tmp_path: Path) -> None:
    out = tmp_path / "sweep"

    def sweep(flipped: bool, rates: list[float], **options: Any) -> Any:
        chosen = scenario(table(tmp_path, flipped), matrix={"training.optimizer.lr": rates})
        return hothouse.sweep(chosen, engine="local", out=out, **options)

    sweep(True, [0.1, 0.05])
    sweep(True, [0.1, 0.05, 0.2])
    with pytest.raises(hothouse.InputError, match=r"3 runs on data that has changed since, such as lr=0\.05"):
        sweep(False, [0.1, 0.05, 0.2, 0.4])
    assert len(sweep(False, [0.1, 0.05, 0.2, 0.4], allow_changes=True)) == 4


@pytest.mark.slow
def test_a_sweep_does_not_go_on_by_other_software(tmp_path: Path) -> None:
    chosen = scenario(table(tmp_path), matrix={"training.optimizer.lr": [0.1]})
    hothouse.sweep(chosen, engine="local", out=tmp_path / "sweep")
    summary = tmp_path / "sweep" / "runs" / "lr=0.1" / "summary.json"
    told = json.loads(summary.read_text())
    told["versions"]["hothouse"] = "0.1.0"
    summary.write_text(json.dumps(told))
    done = command("sweep", tmp_path / "sweep", "--engine", "local")
    assert done.returncode == 2
    assert f"1 runs by Hothouse 0.1.0, now {identity()}, such as lr=0.1" in done.stderr
    assert command("sweep", tmp_path / "sweep", "--engine", "local", "--allow-changes").returncode == 0
