"""Bytes that a round needs beside training, and those of evaluation, worked out from shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from common.scenario import Scenario
from server.grid.local import LocalGrid
from server.rounds import Rounds
from tests.federations import FEATURES, Watcher, federation, ran, scenario

SIZES = [23, 5, 40, 11, 16, 17]
HIDDEN, CLASSES = 7, 3
MODEL = 4 * (FEATURES * HIDDEN + HIDDEN + HIDDEN * CLASSES + CLASSES)
"""Bytes of a network's parameters."""
NORMALIZED = 4 * (FEATURES * HIDDEN + HIDDEN * CLASSES + CLASSES + 2 * HIDDEN + 2 * HIDDEN)
"""With batch normalization: no bias, but its scale and shift, mean and variance."""
SCORES = 8 * (3 + 3 * CLASSES)
"""The sums that measure a model of classes: rows, loss and its square, and three numbers for each class."""
CLIENTS = len(SIZES)


def chosen(strategy: Any = "fedavg", normalization: Any = "none", **federation: Any) -> Scenario:
    return scenario(
        data={"source": {"kind": "sklearn"}, "partition": {"scheme": "iid", "clients": CLIENTS}, "client_holdout": 0.2},
        model={"layers": [HIDDEN], "normalization": normalization},
        federation={"rounds": 1, "strategy": strategy, **federation},
    )


@pytest.mark.parametrize(
    ("strategy", "more", "down", "up"),
    [
        ("fedavg", {}, CLIENTS * MODEL, CLIENTS * MODEL),
        ("fedmedian", {}, CLIENTS * MODEL, CLIENTS * MODEL),
        ("fedmedian", {"normalization": "batch"}, CLIENTS * NORMALIZED, CLIENTS * NORMALIZED),
        # The weights go out once more, for the losses, and sums come back.
        ("qfedavg", {}, 2 * CLIENTS * MODEL, CLIENTS * (MODEL + SCORES)),
        # Every network goes to every judge.
        (
            {"name": "competition", "judge": "clients"},
            {},
            CLIENTS * MODEL + CLIENTS * CLIENTS * MODEL,
            CLIENTS * MODEL + CLIENTS * CLIENTS * SCORES,
        ),
        # The new global network goes out once for its only normalization; 3 sums of each unit and a number of rows.
        (
            "fedavg",
            {"normalization": {"name": "batch", "statistics": "recomputed"}},
            2 * CLIENTS * NORMALIZED,
            CLIENTS * (NORMALIZED + 8 * (3 * HIDDEN + 1)),
        ),
    ],
)
def test_what_a_round_sends(tmp_path: Path, strategy: Any, more: dict[str, Any], down: int, up: int) -> None:
    prepared = federation(tmp_path, SIZES, held=[2] * CLIENTS)
    begin, line = ran(chosen(strategy, **more), prepared).rounds
    model = NORMALIZED if more else MODEL
    assert (begin["bytes_down"], begin["bytes_up"]) == (0, 0)
    assert (line["bytes_down"], line["bytes_up"]) == (down, up)
    assert begin["bytes_evaluation"] == line["bytes_evaluation"] == CLIENTS * (model + SCORES)


def test_without_held_out_rows_evaluation_sends_nothing(tmp_path: Path) -> None:
    for line in ran(chosen(), federation(tmp_path, SIZES)).rounds:
        assert line["bytes_evaluation"] == 0


def test_the_local_engine_knows_no_deadline(tmp_path: Path) -> None:
    """Its nodes work only while they are waited for: a deadline would leave out whoever comes last."""
    prepared, watcher = federation(tmp_path, SIZES), Watcher()
    grid = LocalGrid("clients.app:app", [{"data-dir": str(prepared.folder)}], {})
    Rounds(grid, chosen(deadline=1e-9), prepared, [watcher]).run()
    assert watcher.rounds[1]["clients"] == CLIENTS
    assert [event for event, _ in watcher.events if event == "excluded"] == []


def test_what_is_given_up_does_not_stay(tmp_path: Path) -> None:
    from flwr.app import Message, RecordDict

    prepared = federation(tmp_path, SIZES)
    grid = LocalGrid("clients.app:app", [{"data-dir": str(prepared.folder)}], {})
    (node,) = grid.get_node_ids()
    (sent,) = grid.push_messages([Message(RecordDict(), node, "query.hosting")])
    grid.abandon([sent])
    assert grid.wait([sent]) == []
