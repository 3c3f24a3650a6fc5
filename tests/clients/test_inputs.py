"""What networks see in training: as gathered, or augmented by draws that are each client's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from clients.augmentation import Pipeline
from clients.batches import batches
from clients.blocks.blocks import train_blocks
from clients.compiled.library import library
from clients.training import inputs as module
from clients.training.inputs import Augment, inputs_of
from common import seeds
from common.data import Prepared
from common.data.examples import ExampleReader, open_examples
from common.data.prepared import META
from common.scenario.training import Training
from tests.federations import agreed, federation, named, scenario, starting_weights, train_order

SIZES = [23, 17, 12, 5]
AUGMENTATION = [
    {"kind": "rotation", "degrees": 90.0},
    {"kind": "noise", "sigma": 0.5},
    {"kind": "erasing"},
    {"kind": "feature_dropout"},
]


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    """Rows that are images of 2×3."""
    plain = federation(tmp_path, SIZES)
    (tmp_path / META).write_text(replace(plain.meta, row_shape=[2, 3], filling="mean", own_fill=True).to_json())
    return Prepared(tmp_path)


def seen(
    prepared: Prepared, clients: list[int], augmentation: list[Any] = AUGMENTATION, round_number: int = 1
) -> list[list[Tensor]]:
    """What each client sees in each step of a round, as long as it has steps."""
    training = Training(epochs=3, batch_size=4, augmentation=augmentation)  # type: ignore[arg-type]
    ids, rows = np.array(clients), own_rows(prepared)
    keys = seeds.streams(0, "batches", round_number, ids)
    steps = batches([prepared.training_examples(c) for c in clients], training, keys, torch.float32)
    augment = Augment.of(Pipeline(training.augmentation, prepared.meta, np.empty(0)), 0, round_number, ids)
    found: list[list[Tensor]] = [[] for _ in clients]
    for batch, x in inputs_of(steps, rows, rows.fills(ids), augment):
        for client in range(batch.active):
            found[client].append(x[client])
    return found


def own_rows(prepared: Prepared) -> ExampleReader:
    return open_examples(prepared, replace(agreed(prepared), own_fill=True, fill=np.zeros(6)), torch.float32)


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_without_augmentation_rows_are_as_they_are(prepared: Prepared) -> None:
    rows = own_rows(prepared)
    training = Training(epochs=1, batch_size=4)
    steps = list(
        batches([prepared.training_examples(0)], training, seeds.streams(0, "b", 1, np.array([0])), torch.float32)
    )
    for batch, x in inputs_of(iter(steps), rows, None, None):
        assert torch.equal(x, rows.inputs(batch.positions))
    nothing = Augment.of(Pipeline((), prepared.meta, np.empty(0)), 0, 1, np.array([0]))
    assert nothing is None


@pytest.mark.parametrize("numbers", [1, 100, 200, 1000])
def test_taking_steps_together_changes_no_bit(
    prepared: Prepared, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = seen(prepared, [0, 1, 2, 3])
    monkeypatch.setattr(module, "_CHUNK_NUMBERS", numbers)
    for one, other in zip(seen(prepared, [0, 1, 2, 3]), whole, strict=True):
        assert same(one, other)


def test_a_client_sees_the_same_in_any_company(prepared: Prepared) -> None:
    together = seen(prepared, [0, 1, 2, 3])
    for client in range(4):
        (alone,) = seen(prepared, [client])
        width = min(SIZES[client], 4)
        assert same([x[:width] for x in together[client]], alone)


def test_clients_rounds_and_epochs_differ(prepared: Prepared) -> None:
    noise = [{"kind": "noise", "sigma": 0.5, "probability": 1.0}]

    def added(client: int, round_number: int) -> Tensor:
        changed = seen(prepared, [client], noise, round_number)[0]
        plain = seen(prepared, [client], [], round_number)[0]
        return torch.cat([a - b for a, b in zip(changed, plain, strict=True)])

    one, other, later = added(0, 1), added(1, 1), added(0, 2)
    every = torch.cat([one, other, later]).reshape(-1)
    assert len(set(every.tolist())) > 0.99 * len(every)


def test_gaps_are_filled_with_the_clients_own_means(prepared: Prepared) -> None:
    """A value that goes missing becomes the mean of the client whose row it is, several steps at once too."""
    gone = [{"kind": "feature_dropout", "rate": 1.0, "probability": 1.0}]
    for client, found in enumerate(seen(prepared, [0, 1, 2, 3], gone)):
        mean = torch.tensor(prepared.x[prepared.training_examples(client)].mean(axis=0), dtype=torch.float32)
        assert all(torch.allclose(x, mean.expand_as(x), atol=1e-6) for x in found)


@pytest.mark.parametrize(
    "engine",
    ["torch", pytest.param("compiled", marks=pytest.mark.skipif(library() is None, reason="not built here"))],
)
def test_augmented_training_is_training_on_what_is_seen(prepared: Prepared, engine: str) -> None:
    training = {"epochs": 3, "batch_size": 4, "optimizer": {"name": "sgd", "lr": 0.1}, "augmentation": AUGMENTATION}
    chosen = scenario(model={"layers": [7], "dtype": "float32"}, training={**training, "trainer": engine})
    order = train_order(chosen, prepared, [[0, 1, 2, 3]])
    order = replace(order, data_spec=replace(order.data_spec, own_fill=True, fill=np.zeros(6)))
    reply = train_blocks(prepared, order)
    expected = {name: np.zeros_like(array) for name, array in named(starting_weights(chosen, prepared)).items()}
    for client in range(4):
        network = starting_weights(chosen, prepared)
        step = torch.optim.SGD(network.parameters(), lr=0.1)
        keys = seeds.streams(0, "batches", 1, np.array([client]))
        shard = prepared.training_examples(client)
        for batch, x in zip(
            batches([shard], chosen.training, keys, torch.float32), seen(prepared, [client])[0], strict=True
        ):
            real = batch.shares[0] > 0
            y = torch.tensor(prepared.y[batch.positions[0].numpy()])
            step.zero_grad()
            torch.nn.functional.cross_entropy(network(x[real]), y[real]).backward()  # type: ignore[no-untyped-call]
            step.step()
        for name, array in named(network).items():
            expected[name] += SIZES[client] * array
    for name, array in expected.items():
        assert np.abs(reply.sums["parameters"][name][0] - array).max() / sum(SIZES) < 1e-5
