"""Run folders that are damaged, or that somebody made to do harm: every command names the file, and none hangs."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save

import hothouse
from hothouse.report.run import write_report
from hothouse.results.ancestry import lineage
from hothouse.running.live import _Feed
from server.record.checkpoints import _digest
from tests.command import command
from tests.mutations import mutated

FILES = ("summary.json", "scenario.yaml", "metrics.jsonl", "events.jsonl", "clients.jsonl", "federation.json")


@pytest.fixture(scope="module")
def finished(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    changes = ["federation.rounds=3", "checkpoints.every=1"]
    return hothouse.run(quickstart, overrides=changes, engine="local", out=out).folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def reported(run: Path) -> None:
    write_report(run)


def compared(run: Path) -> None:
    hothouse.compare([run]).page().html()


def resumed(run: Path) -> None:
    hothouse.resume(run, rounds=4, engine="local")


def loaded(run: Path) -> None:
    one = hothouse.load(run)
    _ = one.summary, one.metrics, one.events, one.scenario, one.model


EVERYTHING: tuple[Callable[[Path], None], ...] = (reported, compared, resumed, loaded)


def refusals(run: Path) -> dict[str, str]:
    """What each way to read a run says that refuses it."""
    told = {}
    for use in EVERYTHING:
        try:
            use(run)
        except hothouse.InputError as error:
            told[use.__name__] = str(error)
    return told


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
DAMAGE = [
    ("metrics.jsonl", '{"round": "one", "seconds": 1}\n', "metrics.jsonl:1: round: expected a whole number"),
    ("metrics.jsonl", '{"round": 1, "seconds": "long"}\n', "metrics.jsonl:1: seconds: expected a number, found 'long'"),
    ("metrics.jsonl", '{"round": 1}\n', "metrics.jsonl:1: expected the keys round and seconds"),
    ("metrics.jsonl", "5\n", "metrics.jsonl:1: expected a JSON object, found int"),
    ("metrics.jsonl", '{"round": 1, "seconds": [[[\n', "metrics.jsonl:1: cannot be read as JSON"),
    ("events.jsonl", '["event"]\n', "events.jsonl:1: expected a JSON object, found list"),
    ("events.jsonl", '{"round": 1, "event": "\\ud800"}\n', "events.jsonl:1: cannot be read as JSON"),
    ("summary.json", "", "summary.json: cannot be read as JSON"),
    ("summary.json", '{"status": "compl', "summary.json: cannot be read as JSON"),
    ("summary.json", "[]", "summary.json: expected a JSON object, found list"),
    ("scenario.yaml", BOMB, "more than 100000 values; do aliases refer to aliases?"),
    ("scenario.yaml", "- 1\n", "scenario.yaml"),
]


@pytest.mark.parametrize(("name", "content", "message"), DAMAGE, ids=range(len(DAMAGE)))
def test_what_is_no_file_of_a_run_is_named(run: Path, name: str, content: str, message: str) -> None:
    (run / name).write_text(content)
    told = refusals(run)
    assert {use.__name__ for use in EVERYTHING} - told.keys() <= {"compared"}, "a comparison reads no events"
    assert all(message in text for text in told.values()), told
    done = command("report", run)
    assert (done.returncode, done.stderr) == (2, told["reported"] + "\n")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_plain_file_is_not_read(run: Path, name: str, kind: str) -> None:
    (run / name).unlink()
    if kind == "pipe":
        os.mkfifo(run / name)
    elif kind == "device":
        (run / name).symlink_to("/dev/zero")
    else:
        (run / name).mkdir()
    # `read` looks for the two files without which there is no run.
    message = "expected a" if name not in ("summary.json", "scenario.yaml") else ""
    told = refusals(run)
    assert told.keys() >= ({"reported"} if name in ("clients.jsonl", "federation.json") else {"reported", "resumed"})
    assert all(message in text or "cannot be read (Is a directory)" in text for text in told.values()), told


def test_a_last_line_that_was_being_written_is_left_out(run: Path) -> None:
    whole = (run / "metrics.jsonl").read_bytes()
    (run / "metrics.jsonl").write_bytes(whole + b'{"round": 4, "seco')
    assert refusals(run) == {}
    assert hothouse.load(run).metrics["round"].tolist() == [0, 1, 2, 3, 4]


def test_a_versions_text_is_no_command(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    summary["versions"]["torch"] = "2; touch owned"
    (run / "summary.json").write_text(json.dumps(summary))
    assert "pip install flwr==" in (page := write_report(run).read_text())
    assert "&#39;torch==2; touch owned&#39;" in page


class TestCheckpoints:
    def forged(self, run: Path, **changes: object) -> None:
        """Write every checkpoint anew with other words, its checksum made to fit."""
        for path in (run / "checkpoints").glob("*.safetensors"):
            content, tensors = path.read_bytes(), load_file(path)
            header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
            envelope = json.loads(header["__metadata__"]["hothouse"])
            told = json.dumps(json.loads(envelope["told"]) | changes)
            digest = _digest(tensors, told)
            path.write_bytes(save(tensors, metadata={"hothouse": json.dumps({"told": told, "digest": digest})}))

    @pytest.mark.parametrize(
        "changes",
        [
            {"clients": ["../../../../../dev/zero"]},
            {"clients": ["../metrics.jsonl"]},
            {"clients": [5]},
            {"clients": 5},
            {"round": "three"},
            {"metrics": None},
            {"about": [1]},
        ],
        ids=range(7),
    )
    def test_words_that_are_not_what_is_written_are_not_followed(self, run: Path, changes: dict[str, object]) -> None:
        self.forged(run, **changes)
        again = hothouse.resume(run, rounds=4, engine="local")
        damaged = [event for event in again.events if event["event"] == "damaged"]
        assert len(damaged) == 2, "both are passed over, and the run begins anew"
        assert len(again.metrics) == 5

    def test_what_is_no_file_is_passed_over(self, run: Path) -> None:
        for path in (run / "checkpoints").glob("round-*.safetensors"):
            path.unlink()
            path.symlink_to("/dev/zero")
        again = hothouse.resume(run, rounds=4, engine="local")
        assert [event["reason"] for event in again.events if event["event"] == "damaged"] == ["it is no plain file"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_folders_changed_at_random_are_read_or_refused(run: Path, tmp_path: Path, seed: int) -> None:
    rng, refused = random.Random(seed), 0
    names = [*FILES, "workers.jsonl", "final.json", "model.safetensors"]
    names += [f"checkpoints/{path.name}" for path in (run / "checkpoints").iterdir()]
    for _ in range(60):
        copy = Path(shutil.copytree(run, tmp_path / "copy"))
        name = rng.choice(names)
        (copy / name).write_bytes(mutated(rng, (copy / name).read_bytes()))
        _Feed(copy).page()
        for use in (lineage, *EVERYTHING):
            try:
                use(copy)
            except (hothouse.InputError, hothouse.RunError):
                refused += 1
        shutil.rmtree(copy)
    assert refused > 60, "lineage refuses what did not compete, and others much of the rest"


def test_a_model_with_numbers_that_are_none_predicts_nothing(run: Path, tmp_path: Path) -> None:
    content, tensors = (run / "model.safetensors").read_bytes(), load_file(run / "model.safetensors")
    about = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    tensors["network.layers.0.weight"] = np.full_like(tensors["network.layers.0.weight"], np.nan)
    (run / "model.safetensors").write_bytes(save(tensors, about))
    np.save(tmp_path / "rows.npy", np.zeros((2, 64)))
    done = command("predict", run, "--data", tmp_path / "rows.npy")
    assert (done.returncode, done.stdout) == (2, "")
    assert "layers.0.weight has numbers that are infinite or not a number (NaN)" in done.stderr
