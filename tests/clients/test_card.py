"""Training on a card: the processor's bits on a pretended one, nothing that waits for it in a step, what it holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import hothouse
from clients.training.widths import width_on_card
from common import devices
from common.devices import without_deterministic_form
from common.models import build
from common.run_files import read_lines
from server.record.checkpoints import latest
from tests.cards import pretended
from tests.conftest import REPOSITORY
from tests.federations import data_spec, scenario
from tests.resuming import Photographer, assert_same
from tests.strategies import every_strategy

OTHERS = ["augmented", "early stopping", "full batches", "layer normalization", "private", "own loop"]
OWN = [f"own {name}" for name in ("conv", "normed", "dropped", "embedded", "tied")]


def on_a_card(*cases: str) -> dict[str, dict[str, Any]]:
    """What each case came to, in a process of its own."""
    command = [sys.executable, "-m", "tests.clients.on_a_card", *cases]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"case"')]
    return {one.pop("case"): one for one in found}


def assert_the_processors_bits(found: dict[str, dict[str, Any]]) -> None:
    for name, one in found.items():
        assert not one["excluded"], name
        # A stack of networks of one's own rounds as torch.func's products do.
        assert one["difference"] <= (1e-6 if name.endswith("auto") else 0), name


def test_a_card_gives_the_processors_bits_and_nothing_waits_for_it_in_a_step() -> None:
    found = on_a_card("message blocks 1", "message blocks 4")
    assert_the_processors_bits(found)
    short, long = found.values()
    assert long["waits"] == short["waits"] > 0
    assert long["moves"] > short["moves"]
    # Masks, shares and places of examples are moved for every step.
    assert long["bytes"] < 3.5 * short["bytes"], "examples are moved once"


@pytest.mark.slow
@pytest.mark.parametrize("cases", [[*every_strategy()], OTHERS, [*OWN, *(f"{name} auto" for name in OWN)]], ids=len)
def test_every_method_and_setting_gives_the_processors_bits_on_a_card(cases: list[str]) -> None:
    found = on_a_card(*cases)
    assert len(found) == len(cases)
    assert {(one["device"], one["card"]) for one in found.values()} == {("cuda", "a pretended card")}
    assert_the_processors_bits(found)


def test_a_full_card_makes_stacks_smaller_for_all_and_for_the_rest_of_the_run(tmp_path: Path) -> None:
    settings = {
        "data": {
            "source": {"kind": "sklearn", "name": "digits"},
            "partition": {"scheme": "size", "sizes": [20, 13, 9, 8, 6, 5]},
        },
        "model": {"layers": [9]},
        "federation": {"rounds": 4, "clients_per_round": 1.0, "blocks": 1},
        "checkpoints": {"every": 1, "keep": 9},
    }
    straight = hothouse.run(settings, overrides=["training.trainer=torch"], engine="local", out=tmp_path / "cpu")
    faults = {"faults": json.dumps([{"what": "too wide", "most": 2, "round": 2}])}
    with pretended(devices.CPU):
        run = hothouse.run(
            settings,
            overrides=["training.device=cuda"],
            engine="local",
            out=tmp_path / "card",
            node_config=faults,
            observers=[Photographer(tmp_path / "card", tmp_path / "album", [1, 3])],
        )
        assert_same(hothouse.resume(tmp_path / "album" / "3", engine="local"), run)
    told = [line for line in read_lines(run.folder / "events.jsonl") if line["event"] == "out of device memory"]
    assert [(event["round"], event["widest"]) for event in told] == [(2, 3), (2, 1)]
    assert told[0]["reason"] == (
        "a card's memory does not hold a stack of 6 clients; the round is trained again with at most 3"
    )
    for folder, widest in (("album/1", 0), ("album/3", 1), ("card", 1)):
        loaded = latest(tmp_path / folder / "checkpoints", lambda path, reason: None)
        assert loaded is not None
        assert loaded.state.widest == widest
    for array, tensor in straight.model.network.arrays().items():
        assert torch.allclose(run.model.network.arrays()[array], tensor, rtol=0, atol=1e-6), array


class TestWidths:
    def width(self, features: int = 20, largest: int = 100, **training: Any) -> int:
        chosen = scenario(model={"layers": [6]}, training={"batch_size": 10, **training})
        examples = data_spec("classification", features, ("a", "b", "c"), (0.0,), (1.0,))
        network = build(chosen.model, examples, chosen.seed)
        return width_on_card(network, chosen.training, features, largest)

    def test_what_clients_need_fits_into_the_memory(self) -> None:
        parameters, kept = 20 * 6 + 6 + 6 * 3 + 3, 3 * 6 + 3
        client = 4 * (6 * parameters + 10 * (20 + 2 * kept))
        assert self.width(device_memory=1_000_000) == 1_000_000 // client
        adam = client + 4 * (2 * parameters + 1)
        assert self.width(device_memory=1_000_000, optimizer="adam") == 1_000_000 // adam
        whole = 4 * (6 * parameters + 100 * (20 + 2 * kept))
        assert self.width(device_memory=1_000_000, batch_size="full") == 1_000_000 // whole

    def test_there_is_always_one_and_never_more_than_an_order_names(self) -> None:
        assert self.width(device_memory=1_000_000, batch_size=100_000) == 1
        assert self.width() == 4096


def test_an_operation_without_a_deterministic_form_is_named() -> None:
    told = "put_ does not have a deterministic implementation, but you set 'torch.use_deterministic_algorithms(True)'."
    assert without_deterministic_form(RuntimeError(told)) == "put_"
    assert without_deterministic_form(RuntimeError("another")) == ""
