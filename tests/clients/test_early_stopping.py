"""Early stopping is what a loop over the epochs of one client alone would do."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from clients.blocks.blocks import train_blocks
from common.arrays import NamedArrays
from common.data import Prepared
from common.models import DTYPES
from common.scenario import Scenario
from tests.clients.test_truth import Trainer, assert_close, either, mean
from tests.federations import batches_of, federation, scenario, train_order, trained_alone
from tests.plain import criterion

SIZES = [23, 12, 40, 12, 18, 17]
HELD = [8, 4, 10, 0, 1, 0]
"""The rows that clients hold out; two have none."""


class Watch:
    """Looks at one client's network after each epoch and remembers the best, as the definition says."""

    def __init__(self, chosen: Scenario, prepared: Prepared, client: int) -> None:
        rows, rule = prepared.holdout_examples(client), chosen.training.early_stopping
        assert rule is not None
        self.patience, self.min_delta = rule.patience, rule.min_delta
        self.x, self.y = torch.tensor(prepared.x[rows]).to(DTYPES[chosen.model.dtype]), torch.tensor(prepared.y[rows])
        self.loss_of = criterion(chosen, list(prepared.meta.labels))
        self.epoch = len(batches_of(chosen, prepared, client)) // (chosen.training.epochs or 1)
        self.best: NamedArrays = {}
        self.losses: list[float] = []
        self.steps = self.last = self.waited = 0

    def __call__(self, network: nn.Module, step: int) -> bool:
        """Whether the client stops after so many steps."""
        if step % self.epoch:
            return False
        in_use = copy.deepcopy(network).eval()
        with torch.no_grad():
            loss = self.loss_of(in_use(self.x), self.y).item()
        self.last = step
        if not self.losses or loss < min(self.losses) - self.min_delta:
            self.best = {name: tensor.numpy() for name, tensor in in_use.state_dict().items()}
            self.losses.append(loss)
            self.steps, self.waited = step, 0
        else:
            self.waited += 1
        return self.waited == self.patience


@pytest.mark.parametrize("rule", [{"patience": 1}, {"patience": 2}, {"patience": 1, "min_delta": 0.01}], ids=str)
@pytest.mark.parametrize("kind", ["plain", "everything"])
@either()
def test_a_client_keeps_what_a_loop_over_its_epochs_would_keep(
    tmp_path: Path, by: Trainer, rule: dict[str, Any], kind: str
) -> None:
    prepared = federation(tmp_path, SIZES, held=HELD)
    # In float32 the statistics of batches of one or two examples would magnify what rounding leaves.
    normalization = "batch" if by.dtype == "float64" else "layer"
    more: dict[str, dict[str, Any]] = {"plain": {}, "everything": {"normalization": normalization, "dropout": 0.3}}
    chosen = scenario(
        data={"source": {"kind": "sklearn"}, "client_holdout": 0.2},
        model={"layers": [9], "activation": "tanh", "dtype": by.dtype, **more[kind]},
        training={
            "trainer": by.engine,
            "epochs": 6,
            "batch_size": 4,
            "stack": 4,
            "optimizer": {"name": "sgd", "lr": 0.2, "momentum": 0.5},
            "mixup": 0.3 if kind == "everything" else None,
            "early_stopping": rule,
        },
    )
    clients = list(range(len(SIZES)))
    reply = train_blocks(prepared, train_order(chosen, prepared, [[client] for client in clients]))
    ends = []
    for client in clients:
        watch = Watch(chosen, prepared, client) if HELD[client] else None
        weights, loss = trained_alone(chosen, prepared, client, enough=watch or (lambda network, step: False))
        steps = len(batches_of(chosen, prepared, client))
        if watch is not None:
            weights = {name: watch.best[name] for name in weights}
            ends.append((watch.steps, watch.last, steps))
            steps = watch.steps
        assert_close(mean(reply, client), weights, by.tolerance if by.dtype == "float64" else 1e-4)
        assert reply.metrics["steps"][client] == steps
        assert reply.metrics["train_loss"][client] == pytest.approx(loss, abs=by.tolerance)
    assert any(last < steps for _, last, steps in ends), "no client stops early here"
    assert len({best for best, _, _ in ends}) > 1, "clients stop at the same time here"


def test_a_client_whose_loss_is_not_a_number_ends_where_it_began(tmp_path: Path) -> None:
    prepared = federation(tmp_path, [20, 20], "regression", held=[5, 5])
    chosen = scenario(
        data={"source": {"kind": "sklearn"}, "client_holdout": 0.2},
        training={
            "epochs": 4,
            "batch_size": 5,
            "optimizer": {"name": "sgd", "lr": 1e30},
            "early_stopping": {"patience": 2},
        },
    )
    order = train_order(chosen, prepared, [[0], [1]])
    reply = train_blocks(prepared, order)
    assert reply.metrics["steps"].tolist() == [0, 0]
    assert_close(mean(reply, 0), order.parameters, 1e-7)
