"""`training.device`: what it chooses, which cards workers get, and what is said where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hothouse
from common import devices
from common.data.prepared import Prepared
from common.errors import InputError
from hothouse.running.cards import card_share, choose_cards, only_cards
from server.exchange.federation import Federation
from server.trainer import TrainerChoice, choose
from tests.cards import pretended
from tests.command import command
from tests.conftest import REPOSITORY
from tests.federations import federation, scenario
from tests.resuming import Photographer

H200, A100 = "NVIDIA H200, CUDA 13.0, cuDNN 91200", "NVIDIA A100, CUDA 13.0, cuDNN 91200"


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return federation(tmp_path / "data", [9, 14])


def chosen(
    prepared: Prepared, cards: tuple[str, ...], device: str, before: str | None = None, owned: bool = False
) -> TrainerChoice:
    clients = np.arange(2)
    hosts = Federation([0, 1], clients, clients + 9, clients, clients if owned else None, prepared.meta, True, cards)
    return choose(scenario(model={"layers": [5]}, training={"device": device}), hosts, before)


class TestChoice:
    @pytest.mark.parametrize(
        ("device", "cards", "found"),
        [
            ("cpu", (H200,), ("cpu", "compiled")),
            ("auto", (H200,), ("cuda", "torch")),
            ("auto", ("", H200), ("cpu", "compiled")),
            ("auto", ("",), ("cpu", "compiled")),
            ("auto", (A100, H200), ("cpu", "compiled")),
            ("cuda", (H200,), ("cuda", "torch")),
        ],
    )
    def test_it_follows_from_what_all_hosts_have(
        self, prepared: Prepared, device: str, cards: tuple[str, ...], found: tuple[str, str]
    ) -> None:
        choice = chosen(prepared, cards, device)
        assert (choice.device, choice.name) == found
        assert choice.facts["device"] == found[0]
        assert choice.facts.get("card") == (H200 if found[0] == "cuda" else None)

    def test_a_missing_card_and_cards_of_two_kinds_are_refused(self, prepared: Prepared) -> None:
        with pytest.raises(InputError, match=r"training\.device: expected cpu or auto: PyTorch finds no card"):
            chosen(prepared, ("",), "cuda")
        with pytest.raises(InputError, match=r"expected cpu or auto: some workers have no card"):
            chosen(prepared, ("", H200), "cuda")
        with pytest.raises(InputError, match=r"expected cards of one kind, not NVIDIA A100.* and NVIDIA H200"):
            chosen(prepared, (A100, H200), "cuda")
        assert chosen(prepared, (A100, H200), "cuda", owned=True).device == "cuda", "each client has its own host"

    def test_another_card_is_another_trainer(self, prepared: Prepared) -> None:
        before = chosen(prepared, (H200,), "cuda").identity
        assert chosen(prepared, (H200,), "cuda", before).device == "cuda"
        with pytest.raises(InputError, match=r"used the trainer torch on NVIDIA H200.*--allow-changes"):
            chosen(prepared, (A100,), "cuda", before)

    def test_the_compiled_trainer_stays_on_the_processor(self) -> None:
        with pytest.raises(InputError, match=r"training\.trainer: .*training\.device cuda"):
            scenario(model={"layers": [5]}, training={"device": "cuda", "trainer": "compiled"})


def test_a_run_is_not_resumed_on_another_card(
    quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = ["federation.rounds=3", "training.device=cuda", "checkpoints.every=1", "federation.clients_per_round=2"]
    with pretended(devices.CPU):
        seen = [Photographer(tmp_path / "run", tmp_path / "album", [1])]
        hothouse.run(quickstart, overrides=short, engine="local", out=tmp_path / "run", observers=seen)
        monkeypatch.setattr(devices, "card", lambda: "another card")
        with pytest.raises(InputError, match=r"torch on a pretended card.*torch on another card"):
            hothouse.resume(tmp_path / "album" / "1", engine="local")
        assert hothouse.resume(tmp_path / "album" / "1", engine="local", allow_changes=True).summary["rounds"] == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--device", "cuda"], "training.device: expected cpu or auto: PyTorch finds no card here"),
        (["--gpus", "0"], "--gpus needs training.device: cuda or auto (--device)"),
        (["--device", "auto", "--gpus", "1"], "--gpus 1: PyTorch finds no card here"),
        (["--device", "auto", "--gpus", "0,x"], "--gpus 0,x: expected numbers of cards, such as 0 or 0,1"),
        (["--device", "auto", "--gpus", "0,0"], "--gpus 0,0: expected numbers of cards, such as 0 or 0,1"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(
    quickstart: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    done = command("run", quickstart, "--engine", "local", "--out", tmp_path / "run", *options)
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "run").exists()


class TestCards:
    def test_all_are_taken_unless_some_are_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(devices, "card_count", lambda: 4)
        assert choose_cards("cuda", None) == (0, 1, 2, 3)
        assert choose_cards("auto", [1, 3]) == (1, 3)
        assert choose_cards("cpu", None) == ()
        with pytest.raises(InputError, match="--gpus 4: there are cards 0 to 3"):
            choose_cards("cuda", [4])

    @pytest.mark.parametrize(
        ("cards", "workers", "share"), [(2, 2, 1), (2, 1, 1), (1, 2, 1 / 2), (2, 3, 1 / 2), (2, 5, 1 / 3), (0, 4, 0)]
    )
    def test_workers_share_them_evenly(self, cards: int, workers: int, share: float) -> None:
        assert card_share(cards, workers) == share
        assert cards == 0 or workers <= cards * round(1 / share)

    def test_numbers_count_among_those_that_are_visible(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6,7")
        with only_cards([0, 2]):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "4,7"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "4,6,7"
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        with only_cards([1]):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
        assert "CUDA_VISIBLE_DEVICES" not in os.environ


_WORKERS = """
import json, os, sys
import ray
from hothouse.running.cards import only_cards
from hothouse.running.logs import Logs
from hothouse.running.ray_session import RaySession
from server.grid.socket_pool import SocketPool
from server.grid.worker import ClientWorker

class Told(ClientWorker):
    def visible(self):
        return os.environ.get("CUDA_VISIBLE_DEVICES")

found = {}
with only_cards([0, 1, 3]):
    session = RaySession(6, Logs(lambda source, text: None, verbose=False), store_bytes=100_000_000, cards=3)
    for share in json.loads(sys.argv[1]):
        actors = [
            ray.remote(Told).options(num_cpus=1, num_gpus=share).remote("clients.app:app", 1, None, (), not share)
            for _ in range(3)
        ]
        found[share] = sorted(ray.get([actor.visible.remote() for actor in actors]))
        for actor in actors:
            ray.kill(actor)
    session.close()
print(json.dumps(found))
"""


@pytest.mark.slow
def test_each_worker_sees_its_own_card_and_others_none() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WORKERS, "[1, 0]"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"1": ["0", "1", "3"], "0": ["", "", ""]}


def test_a_pool_asks_for_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    from server.grid.calls import Calls

    asked: dict[str, Any] = {}

    class Recorder:
        def options(self, **options: Any) -> Recorder:
            asked.update(options)
            return self

        def remote(self, *arguments: Any) -> None:
            asked["hides"] = arguments[-1]

    monkeypatch.setattr(ray, "remote", lambda worker: Recorder())
    for share, gpus, hides in ((0.5, 0.5, False), (0.0, 0.0, True), (None, 0.0, False)):
        Calls("clients.app:app", 1, card_share=share).start(0)
        assert (asked["num_gpus"], asked["hides"]) == (gpus, hides)
