"""Hothouse as a part of other programs: NumPy's numbers, paths, threads, event loops, and imports at the same time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hothouse
from common.scenario import load_scenario

SCENARIO: dict[str, Any] = {
    "data": {
        "source": {"kind": "sklearn", "name": "iris"},
        "test_fraction": 0.2,
        "partition": {"scheme": "iid", "clients": 4},
    },
    "model": {"layers": [8]},
    "federation": {"rounds": 2},
}


def test_numbers_and_arrays_of_numpy_and_paths_are_plain_values(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x_train=np.zeros((4, 3)), y_train=np.arange(4) % 2)
    given = {
        "seed": np.int64(3),
        "data": {
            "source": {"kind": np.str_("npz"), "path": tmp_path / "d.npz"},
            "test_fraction": np.float32(0.25),
            "partition": {"scheme": "iid", "clients": np.uint8(2)},
        },
        "model": {"layers": np.array([8, 4])},
        "training": {
            "epochs": np.int32(1),
            "optimizer": {"name": "sgd", "lr": np.float64(0.1), "nesterov": np.bool_(0)},
        },
    }
    plain = {
        "seed": 3,
        "data": {
            "source": {"kind": "npz", "path": str(tmp_path / "d.npz")},
            "test_fraction": 0.25,
            "partition": {"scheme": "iid", "clients": 2},
        },
        "model": {"layers": [8, 4]},
        "training": {"epochs": 1, "optimizer": {"name": "sgd", "lr": 0.1, "nesterov": False}},
    }
    assert load_scenario(given) == load_scenario(plain)
    with pytest.raises(hothouse.InputError, match=r"seed: expected a whole number, got 1\.5"):
        load_scenario({**plain, "seed": np.float64(1.5)})


def test_runs_in_threads_and_in_an_event_loop(tmp_path: Path) -> None:
    done: dict[str, hothouse.Run] = {}

    def run(name: str) -> None:
        done[name] = hothouse.run(SCENARIO, engine="local", out=tmp_path / name)

    threads = [threading.Thread(target=run, args=(f"thread {n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def within() -> None:
        run("loop")

    asyncio.run(within())
    models = [run.folder.joinpath("model.safetensors").read_bytes() for run in done.values()]
    assert len(models) == 3
    assert len(set(models)) == 1


_FORCED = """
import importlib.machinery, sys, time

class Slow:
    # Whoever imports common.models waits in the middle of it, so that another thread could enter the circle elsewhere.
    def find_spec(self, name, path=None, target=None):
        if name != "common.models":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        create = spec.loader.create_module
        def slowly(spec):
            time.sleep(0.5)
            return create(spec)
        spec.loader.create_module = slowly
        return spec

sys.meta_path.insert(0, Slow())
import hothouse
from tests.hothouse.test_programs import SCENARIO
print(hothouse.run(SCENARIO, engine="local", out=sys.argv[1]).summary["status"])
"""


@pytest.mark.slow
def test_no_two_threads_import_in_two_orders(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _FORCED, tmp_path / "run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert (done.stdout, done.stderr) == ("complete\n", "")


@pytest.mark.ray
@pytest.mark.slow
def test_runs_in_threads_take_turns_on_ray(tmp_path: Path) -> None:
    code = (
        "import sys, threading, hothouse\n"
        "from tests.hothouse.test_programs import SCENARIO\n"
        "run = lambda n: print(hothouse.run(SCENARIO, workers=1, out=f'{sys.argv[1]}/{n}').summary['status'])\n"
        "threads = [threading.Thread(target=run, args=(n,)) for n in range(2)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
    )
    command = [sys.executable, "-c", code, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout.split() == ["complete", "complete"]


def test_the_folder_of_a_run_that_never_began_can_be_used_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    (out / "logs").mkdir(parents=True)
    (out / "logs" / "run.log").write_text("it could not begin")
    assert hothouse.run(SCENARIO, engine="local", out=out).summary["status"] == "complete"
    with pytest.raises(hothouse.InputError, match="exists and is not empty"):
        hothouse.run(SCENARIO, engine="local", out=out)
