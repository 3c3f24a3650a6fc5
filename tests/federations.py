"""Small federations for tests, and the plain PyTorch loop that stacked training must equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from common import messages, seeds
from common.arrays import NamedArrays, pack
from common.data import Prepared
from common.data.data_spec import DataSpec
from common.data.prepared import Meta, Shards, write_shards
from common.extend.events import Event, Notice, Observer, RoundReport, RoundStarted
from common.extend.leaderboard import Leaderboard
from common.messages import Blocks, TrainOrder
from common.models import MLP, build
from common.models.predictor import Predictor
from common.run_files import Metrics
from common.scenario import Scenario, load_scenario
from common.settings import ClientSettings
from server.grid.local import LocalGrid
from server.rounds import Rounds
from tests import plain

FEATURES, CLASSES = 6, 3


def federation(
    folder: Path, sizes: list[int], task: str = "classification", seed: int = 0, held: list[int] | None = None
) -> Prepared:
    """Clients with so many rows each of FEATURES normal numbers; labels of CLASSES, or two targets.

    `held` are how many of its rows each client holds out.
    """
    rng = np.random.default_rng(seed)
    total = sum(sizes)
    x = rng.normal(size=(total, FEATURES))
    y = rng.integers(0, CLASSES, total) if task == "classification" else rng.normal(size=(total, 2))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    labels: list[str | int] = list(range(CLASSES)) if task == "classification" else []
    targets = 0 if task == "classification" else 2
    meta = plain_meta(task, labels, FEATURES, targets)
    shards = Shards(np.arange(total), np.array(sizes))
    nothing = np.empty(0, np.int64)
    write_shards(folder, meta, np.arange(len(sizes)), shards, np.array(held or [0] * len(sizes)), nothing, nothing)
    return Prepared(folder)


def plain_meta(task: str, labels: list[str | int], features: int, targets: int) -> Meta:
    """Rows of numbers that are used as they are."""
    return Meta(
        task=task,  # type: ignore[arg-type]
        labels=labels,
        row_shape=[features],
        targets=targets,
        columns=[],
        scaling="none",
        filling="none",
        own_fill=False,
        indicators=False,
        sequence=None,
        text=None,
        rows_folder=".",
        clients=[],
        hints=[],
    )


def data_spec(
    task: str,
    features: int,
    labels: tuple[str | int, ...] = (),
    target_shift: tuple[float, ...] = (),
    target_scale: tuple[float, ...] = (),
    **changes: Any,
) -> DataSpec:
    """An agreement that changes nothing but what is given."""
    plain = DataSpec(
        task=task,  # type: ignore[arg-type]
        row_shape=(features,),
        labels=labels,
        columns=(),
        shift=np.zeros(features),
        scale=np.ones(features),
        fill=np.full(features, np.nan),
        own_fill=False,
        indicators=(),
        target_shift=np.array(target_shift),
        target_scale=np.array(target_scale),
    )
    return replace(plain, **{name: np.array(value) for name, value in changes.items()})


def agreed(prepared: Prepared) -> DataSpec:
    """An agreement that changes nothing, for these rows."""
    targets = prepared.meta.targets
    return data_spec(prepared.meta.task, FEATURES, tuple(prepared.meta.labels), (0.0,) * targets, (1.0,) * targets)


def scenario(**parts: Any) -> Scenario:
    """A scenario with the given parts; its data is not looked at."""
    return load_scenario({"data": {"source": {"kind": "sklearn"}}, **parts})


def starting_weights(chosen: Scenario, prepared: Prepared) -> MLP:
    """The network that round 1 starts from."""
    return build(chosen.model, agreed(prepared), chosen.seed)


def named(network: nn.Module) -> NamedArrays:
    """A network's parameters and buffers as arrays."""
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def train_order(
    chosen: Scenario,
    prepared: Prepared,
    blocks: list[list[int]],
    start: NamedArrays | None = None,
    values: NamedArrays | None = None,
    round_number: int = 1,
) -> TrainOrder:
    """The order to train the clients in `blocks` from `start` (by default the scenario's own start)."""
    clients = Blocks(np.array([c for block in blocks for c in block]), np.array([len(block) for block in blocks]))
    network = starting_weights(chosen, prepared)
    start = dict(start or named(network))
    buffers = {name: start.pop(name) for name, _ in network.named_buffers()}
    shared = messages.train_records(
        round_number,
        ClientSettings.of(chosen).model_dump_json(),
        agreed(prepared),
        pack(start),
        {messages.BUFFERS: buffers} if buffers else {},
    )
    from flwr.app import RecordDict

    return TrainOrder.read(RecordDict({**shared, "blocks": clients.write(), "values": pack(values or {})}))


class Watcher(Observer):
    """Keeps what a run tells."""

    def __init__(self) -> None:
        self.rounds: list[Metrics] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.log: list[tuple[int, str, dict[str, Any]]] = []
        """The events with their rounds."""
        self.cohorts: list[list[int]] = []
        self.ladders: list[Leaderboard] = []

    def on_event(self, event: Event) -> None:
        match event:
            case RoundStarted():
                self.cohorts.append(event.clients.tolist())
            case Notice():
                self.events.append((event.name, event.details))
                self.log.append((event.round, event.name, event.details))
            case RoundReport(leaderboard=Leaderboard() as leaderboard):
                self.ladders.append(leaderboard)

    def on_round_end(self, metrics: Metrics) -> None:
        self.rounds.append(metrics)

    def on_end(self, model: Predictor) -> None:
        self.model = model


def ran(chosen: Scenario, prepared: Prepared) -> Watcher:
    """The scenario run on the prepared data with the local engine."""
    watcher = Watcher()
    grid = LocalGrid("clients.app:app", [{"data-dir": str(prepared.folder)}], {})
    Rounds(grid, chosen, prepared, [watcher]).run()
    return watcher


def trained_alone(
    chosen: Scenario,
    prepared: Prepared,
    client: int,
    start: NamedArrays | None = None,
    round_number: int = 1,
    enough: Callable[[nn.Module, int], bool] = lambda network, step: False,
) -> tuple[NamedArrays, float]:
    """One client trained by torch.nn and torch.optim on its batches; its weights and mean batch loss."""
    first = starting_weights(chosen, prepared)
    network = plain.Plain(chosen.model, FEATURES, first.output.width)
    weights = dict(first.state_dict())
    if start is not None:
        weights = {name: torch.tensor(array) for name, array in start.items()}
    network.load_state_dict(weights, strict=False)
    dtype = next(network.parameters()).dtype
    fed = [
        (torch.tensor(prepared.x[rows]).to(dtype), torch.tensor(prepared.y[rows]))
        for rows in batches_of(chosen, prepared, client, round_number)
    ]
    steps = plain.optimizer(chosen.training.optimizer, list(network.parameters()))
    labels = list(prepared.meta.labels)
    loss = plain.train(network, chosen, labels, fed, steps, round_number, client, lambda step: enough(network, step))
    after = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    return {name: after[name] for name in weights}, loss


def batches_of(chosen: Scenario, prepared: Prepared, client: int, round_number: int = 1) -> list[np.ndarray]:
    """The rows of each step of a client: epoch after epoch, each in its own keyed order."""
    shard, training = prepared.training_examples(client), chosen.training
    size = len(shard) if training.batch_size == "full" else training.batch_size
    key = seeds.streams(chosen.seed, "batches", round_number, np.array([client]))
    made: list[np.ndarray] = []
    epoch = 0
    while (training.steps is not None and len(made) < training.steps) or epoch < (training.epochs or 1):
        order = seeds.shuffles(seeds.fork(key, epoch), np.array([len(shard)]))[0]
        made += [shard[order[first : first + size]] for first in range(0, len(shard), size)]
        epoch += 1
    return made[: training.steps]
