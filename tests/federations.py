"""Small federations for tests, and the plain PyTorch loop that stacked training must equal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from common import messages, seeds
from common.arrays import Named, pack
from common.data import Prepared
from common.data.agreement import Agreement
from common.data.prepared import Meta, write_shards
from common.messages import Blocks, TrainOrder
from common.models import MLP, build
from common.scenario import Scenario, load_scenario
from common.settings import ClientSettings

FEATURES, CLASSES = 6, 3


def federation(folder: Path, sizes: list[int], task: str = "classification", seed: int = 0) -> Prepared:
    """Clients with so many rows each of FEATURES normal numbers; labels of CLASSES, or two targets."""
    rng = np.random.default_rng(seed)
    total = sum(sizes)
    x = rng.normal(size=(total, FEATURES))
    y = rng.integers(0, CLASSES, total) if task == "classification" else rng.normal(size=(total, 2))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    labels: list[str | int] = list(range(CLASSES)) if task == "classification" else []
    targets = 0 if task == "classification" else 2
    meta = Meta(task, labels, [FEATURES], targets, [], "none", ".")  # type: ignore[arg-type]
    ends = np.cumsum(sizes)
    shards = [np.arange(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    nothing = np.empty(0, np.int64)
    write_shards(folder, meta, np.arange(len(sizes)), shards, [nothing] * len(sizes), nothing, nothing)
    return Prepared(folder)


def agreed(prepared: Prepared) -> Agreement:
    """An agreement that changes nothing."""
    targets = prepared.meta.targets
    return Agreement(
        prepared.meta.task,
        (FEATURES,),
        tuple(prepared.meta.labels),
        np.zeros(FEATURES),
        np.ones(FEATURES),
        np.zeros(targets),
        np.ones(targets),
    )


def scenario(**parts: Any) -> Scenario:
    """A scenario with the given parts; its data is not looked at."""
    return load_scenario({"data": {"source": {"kind": "sklearn"}}, **parts})


def starting_weights(chosen: Scenario, prepared: Prepared) -> MLP:
    """The network that round 1 starts from."""
    return build(chosen.model, FEATURES, agreed(prepared).outputs, chosen.seed)


def named(network: nn.Module) -> Named:
    """A network's parameters as arrays."""
    return {name: parameter.detach().numpy() for name, parameter in network.named_parameters()}


def train_order(
    chosen: Scenario,
    prepared: Prepared,
    blocks: list[list[int]],
    start: Named | None = None,
    values: Named | None = None,
    round_number: int = 1,
) -> TrainOrder:
    """The order to train the clients in `blocks` from `start` (by default the scenario's own start)."""
    clients = Blocks(np.array([c for block in blocks for c in block]), np.array([len(block) for block in blocks]))
    start = start or named(starting_weights(chosen, prepared))
    shared = messages.train_records(
        round_number, ClientSettings.of(chosen).model_dump_json(), agreed(prepared), pack(start), {}
    )
    from flwr.app import RecordDict

    return TrainOrder.read(RecordDict({**shared, "blocks": clients.write(), "values": pack(values or {})}))


Optimizers = Callable[[list[nn.Parameter]], torch.optim.Optimizer]


def trained_alone(
    chosen: Scenario,
    prepared: Prepared,
    client: int,
    optimizer: Optimizers,
    start: Named | None = None,
    round_number: int = 1,
) -> tuple[Named, float]:
    """One client trained by torch.nn and torch.optim on its batches; its weights and mean batch loss."""
    network = starting_weights(chosen, prepared)
    if start is not None:
        network.load_state_dict({name: torch.tensor(array) for name, array in start.items()})
    step = optimizer(list(network.parameters()))
    dtype = next(network.parameters()).dtype
    losses = []
    for rows in batches_of(chosen, prepared, client, round_number):
        x = torch.tensor(prepared.x[rows]).to(dtype)
        y = torch.tensor(prepared.y[rows])
        criterion: Callable[[Tensor, Tensor], Tensor] = nn.CrossEntropyLoss()
        if prepared.meta.task == "regression":
            criterion, y = nn.MSELoss(), y.to(dtype)
        loss = criterion(network(x), y)
        step.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        step.step()
        losses.append(loss.item())
    return named(network), float(np.mean(losses))


def batches_of(chosen: Scenario, prepared: Prepared, client: int, round_number: int = 1) -> list[np.ndarray]:
    """The rows of each step of a client: epoch after epoch, each in its own keyed order."""
    shard, training = prepared.training_rows(client), chosen.training
    size = len(shard) if training.batch_size == "full" else training.batch_size
    key = seeds.streams(chosen.seed, "batches", round_number, np.array([client]))
    made: list[np.ndarray] = []
    epoch = 0
    while (training.steps is not None and len(made) < training.steps) or epoch < (training.epochs or 1):
        order = seeds.shuffles(seeds.fork(key, epoch), np.array([len(shard)]))[0]
        made += [shard[order[first : first + size]] for first in range(0, len(shard), size)]
        epoch += 1
    return made[: training.steps]
