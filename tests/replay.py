"""The same participation once more: what a deployment's run gave, simulated in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import hothouse
from common.arrays import NamedArrays
from common.data import Prepared
from common.scenario import Scenario
from server.grid.local import LocalGrid
from server.record.resume import Resumed
from server.rounds import Rounds
from tests.federations import Watcher


def lines(path: Path) -> list[dict[str, Any]]:
    """The JSON objects in a file, a line each."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def replayed(chosen: Scenario, parts: Path, nodes: int, out: Path) -> NamedArrays:
    """The model of a run on the nodes whose data is in `parts`, without the blocks that the run in `out` excluded."""
    left_out: dict[int, dict[int, str]] = {}
    for event in lines(out / "events.jsonl"):
        if event["event"] == "excluded":
            left_out.setdefault(event["round"], {}).update(dict.fromkeys(event["blocks"], event["reason"]))
    hosts: list[dict[str, Any]] = [{"data-dir": str(parts / f"node-{node}")} for node in range(nodes)]
    watcher = Watcher()
    grid = LocalGrid("clients.app:app", hosts, {})
    Rounds(grid, chosen, Prepared(parts / "server"), [watcher], resumed=Resumed(None, [], [], left_out)).run()
    return {name: tensor.numpy() for name, tensor in watcher.model.state_dict().items()}


def assert_equal(run: hothouse.Run, weights: NamedArrays) -> None:
    """The run's model has these weights, to the bit."""
    for name, tensor in run.model.state_dict().items():
        assert np.array_equal(tensor.numpy(), weights[name]), name
