"""With 30% of the clients sending the opposite of what they learned FedAvg fails, and robust strategies hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hothouse
from clients.blocks.faults import Faults
from tests.conftest import shared_data
from tests.strategies import sampled

MALICIOUS = range(0, 18, 3)
"""Six of twenty clients. Bulyan has to be told of fewer, f = 4, since it needs n ≥ 4f + 3."""
ROBUST = {
    "fedmedian": "fedmedian",
    "fedtrimmedavg": "{name: fedtrimmedavg, beta: 0.3}",
    "krum": "{name: krum, malicious_clients: 6}",
    "multikrum": "{name: multikrum, malicious_clients: 6, selected_clients: 14}",
    "bulyan": "{name: bulyan, malicious_clients: 4}",
    "geometricmedian": "geometricmedian",
}


def test_a_client_that_flips_sends_the_opposite_of_its_change() -> None:
    flips = {"what": "flip", "client": 4, "scale": 2.0}
    context: Any = type("Context", (), {"node_config": {"faults": json.dumps([flips])}})
    flat, start = torch.tensor([[1.0, 5.0], [4.0, 6.0]]), torch.tensor([[2.0, 3.0]])
    Faults.of(context).after(1, np.array([3, 4]), flat, lambda: start, 2)
    assert flat.tolist() == [[1.0, 5.0], [2 - 2 * 2, 3 - 2 * 3]]


def accuracy(
    data: dict[str, Any], strategy: str, folder: Path, rounds: int, normalization: str = "none", only: str = ""
) -> float:
    """The accuracy that twenty clients come to, six of which flip."""
    faults = [{"what": "flip", "client": client, "scale": 5.0, "only": only} for client in MALICIOUS]
    run = hothouse.run(
        {
            "data": {**data, "partition": {"scheme": "iid", "clients": 20}},
            "model": {"layers": [32], "normalization": normalization},
            "training": {"epochs": 1, "batch_size": 16, "optimizer": {"name": "sgd", "lr": 0.1}},
            "federation": {"rounds": rounds},
            "evaluation": {"every": rounds},
        },
        overrides=[f"federation.strategy={strategy}"],
        engine="local",
        out=folder / "run",
        node_config={"faults": json.dumps(faults)},
    )
    return float(run.metrics.test_accuracy.iloc[-1])


def fashion_mnist() -> dict[str, Any]:
    return {"source": {"kind": "idx", "path": str(shared_data("fashion_mnist"))}}


class TestDigits:
    DATA = {"source": {"kind": "sklearn", "name": "digits"}, "test_fraction": 0.2}  # noqa: RUF012

    def test_fedavg_fails(self, tmp_path: Path) -> None:
        assert accuracy(self.DATA, "fedavg", tmp_path, rounds=20) < 0.3

    @pytest.mark.parametrize("name", ROBUST)
    def test_a_robust_strategy_holds(self, tmp_path: Path, name: str) -> None:
        assert accuracy(self.DATA, ROBUST[name], tmp_path, rounds=20) > 0.7

    @pytest.mark.parametrize("only", sampled(["parameters", "buffers", ""], "buffers"))
    @pytest.mark.parametrize("name", sampled(ROBUST, "multikrum"))
    def test_a_robust_strategy_holds_with_batch_normalization(self, tmp_path: Path, name: str, only: str) -> None:
        assert accuracy(self.DATA, ROBUST[name], tmp_path, 10, "batch", only) > 0.7


@pytest.mark.slow
class TestFashionMnist:
    def test_fedavg_fails(self, tmp_path: Path) -> None:
        assert accuracy(fashion_mnist(), "fedavg", tmp_path, rounds=3) < 0.3

    @pytest.mark.parametrize("name", ROBUST)
    def test_a_robust_strategy_holds(self, tmp_path: Path, name: str) -> None:
        assert accuracy(fashion_mnist(), ROBUST[name], tmp_path, rounds=3) > 0.7
