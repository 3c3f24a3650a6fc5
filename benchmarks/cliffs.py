"""What every strategy and every setting of training costs: processor seconds of a round, beside FedAvg and plain loops.

    python benchmarks/cliffs.py [--quick] [--only NAME …] [--workloads W1 W3] [--turns 4] [--rounds 6]
    python benchmarks/cliffs.py --with 'training.augmentation=[rotation, shift]' [--with KEY=VALUE KEY=VALUE …]

Rows are made of what is registered: each strategy, each activation, loss, normalization and optimizer, and each key of
training, regularization and the mlp. They take turns in one process on one thread with FedAvg and with loops as anyone
would write them in PyTorch, one with FedProx's term; the least of the turns is taken, and which is measured by the
same trainer, the compiled one or PyTorch. What takes several steps where FedAvg takes one is compared with as many
rounds of FedAvg. What is beyond its bound is marked with !, and the exit status is 1. `--quick` is two turns of four
rounds. `--with` measures scenarios of your own in place of all rows. Trust the ratios, not the times.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

# Before NumPy is imported: threads that wait for each other would count as work.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

import hothouse
from common.errors import InputError, RunError
from common.extend.events import Observer
from common.scenario import load_scenario
from common.scenario.model import MLPModel
from common.scenario.registry import FAMILIES
from common.scenario.regularization import Regularization
from common.scenario.strategy import STRATEGIES
from common.scenario.trainers import uncovered
from common.scenario.training import Training
from hothouse.bench.plain import network
from hothouse.bench.workloads import CLASSES, RATE, WORKLOADS, Workload

BOUND = 1.5
BETWEEN = 12
"""FedAvg and the plain loops take their turns between so many rows."""
INNER_STEPS, HEAD_EPOCHS, CLUSTERS, MU = 5, 2, 2, 0.01
OPTIONS: dict[str, str] = {
    "flower": "class: 'flwr.serverapp.strategy:FedAvgM', state: [momentum_vector]",
    "pfedme": f"inner_steps: {INNER_STEPS}",
    "fedrep": f"head_epochs: {HEAD_EPOCHS}",
    "ifca": f"clusters: {CLUSTERS}",
    "fedprox": f"mu: {MU}",
    "fedtrimmedavg": "beta: 0.2",
}
"""A strategy's options beside its name."""
BESIDE: dict[str, list[str]] = {
    "competition": ["data.validation_fraction=0.005"],
    "fedbn": ["model.normalization=batch"],
    "binary_cross_entropy": ["model.output=sigmoid"],
    "local": ["data.client_holdout=0.1"],
    "training.early_stopping": ["data.client_holdout=0.1"],
    "training.regularization.biases": ["training.regularization.l2=0.001"],
}
"""What a row needs in the scenario beside itself."""
STEPS: dict[str, int] = {"ditto": 2, "pfedme": INNER_STEPS, "fedrep": 1 + HEAD_EPOCHS, "training.epochs": 2}
"""How many steps a row takes where FedAvg takes one."""
BOUNDS: dict[str, float | None] = {
    **dict.fromkeys(("momentum", "averaged_momentum", "adagrad", "rmsprop", "adam", "adamw"), 1.7),
    "ifca": 1.2 + 0.45 * CLUSTERS,
    "model.drop_connect": 2.0,
    "model.dtype": None,
    "moon": None,
}
"""How many times FedAvg's round, for as many steps, a row may take where that is not BOUND; None for any."""
VALUES: Mapping[type, Mapping[str, str]] = {
    Training: {
        "epochs": "2",
        "optimizer_state": "client",
        "schedule": "[{name: cosine, by: step}]",
        "clip_norm": "1.0",
        "clip_value": "0.1",
        "mixup": "0.2",
        "early_stopping": "{patience: 3}",
    },
    Regularization: {
        "l1": "0.0001",
        "l2": "0.001",
        "l1_budget": "1000",
        "l2_budget": "50",
        "weight_decay": "0.001",
        "biases": "true",
    },
    MLPModel: {
        "dropout": "0.5",
        "input_dropout": "0.2",
        "drop_connect": "0.2",
        "frozen": "[layers.0]",
        "dtype": "float64",
    },
}
"""A value of each key that changes a step."""
ELSEWHERE = {
    Training: (
        "steps batch_size optimizer loss regularization augmentation trainer stack stacked device device_memory"
    ),
    Regularization: "",
    MLPModel: "name from_ strict output layers activation initialization normalization",
}
"""Keys that are measured as rows of a registry, or that change no step."""
BELOW = {Training: "training", Regularization: "training.regularization", MLPModel: "model"}
PARTS = {"activations": "model.activation", "losses": "training.loss", "normalizations": "model.normalization"} | {
    "optimizers": "training.optimizer"
}


@dataclass(frozen=True)
class Row:
    """Something that is measured."""

    name: str
    overrides: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """How many steps it takes where FedAvg takes one."""
        return STEPS.get(self.name, 1)

    @property
    def bound(self) -> float | None:
        """How many times FedAvg's round, for as many steps, it may take."""
        return BOUNDS.get(self.name, BOUND)


def rows() -> list[Row]:
    """All of them, FedAvg first. Raises SystemExit for a key that is not known here."""
    found = [Row("fedavg")]
    for name, part in STRATEGIES.built_in.items():
        modes = get_args(part.model_fields["mode"].annotation) if "mode" in part.model_fields else ("",)
        for mode in modes:
            options = [
                f"name: {name}",
                *([f"mode: {mode}"] if mode else []),
                *([OPTIONS[name]] if name in OPTIONS else []),
            ]
            chosen = f"federation.strategy={{{', '.join(options)}}}"
            if name != "fedavg":
                found.append(Row(f"{name} {mode}".strip(), (chosen, *BESIDE.get(name, []))))
    for title, path in PARTS.items():
        family = FAMILIES[title]
        found += [Row(name, (f"{path}={{{family.tag}: {name}}}", *BESIDE.get(name, []))) for name in family.built_in]
    for part, values in VALUES.items():
        unknown = set(part.model_fields) - set(values) - set(ELSEWHERE[part].split())  # type: ignore[attr-defined]
        if unknown:
            sys.exit(f"benchmarks/cliffs.py: no value to measure for {', '.join(sorted(unknown))} of {part.__name__}")
        paths = {f"{BELOW[part]}.{key}": value for key, value in values.items()}
        found += [Row(path, (f"{path}={value}", *BESIDE.get(path, []))) for path, value in paths.items()]
    return found


class Stopwatch(Observer):
    """Notes the processor time at the end of every round."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_round_end(self, metrics: dict[str, Any]) -> None:
        """A round is over."""
        self.times.append(time.process_time())


class Federation:
    """A workload's data, and rounds on them."""

    def __init__(self, workload: Workload, folder: Path, rounds: int) -> None:
        self.workload, self.folder, self.rounds = workload, folder, rounds
        rng, count = np.random.default_rng(0), workload.clients * workload.rows
        labels, side = rng.integers(0, CLASSES, count), workload.side
        images = rng.integers(0, 128, (count, side, side), dtype=np.uint8)
        images[np.arange(count), labels % side] += 120
        self.x, self.y = torch.from_numpy(images.reshape(count, -1).astype(np.float32) / 255), torch.from_numpy(labels)
        np.savez(folder / "data.npz", x_train=images, y_train=labels)

    def scenario(self) -> dict[str, Any]:
        """FedAvg."""
        workload = self.workload
        return {
            "data": {
                "source": {"kind": "npz", "path": str(self.folder / "data.npz")},
                "partition": {"scheme": "iid", "clients": workload.clients},
            },
            "model": {"layers": list(workload.hidden)},
            "training": {"batch_size": workload.batch, "optimizer": {"name": "sgd", "lr": RATE}},
            "federation": {"rounds": self.rounds, "clients_per_round": workload.cohort},
            "evaluation": {"every": self.rounds},
        }

    def beyond(self, overrides: Iterable[str]) -> str | None:
        """What of a row only PyTorch trains."""
        chosen = load_scenario(self.scenario(), list(overrides))
        return uncovered(chosen.model, chosen.training, chosen.federation.strategy)

    def seconds(self, overrides: Iterable[str]) -> float:
        """The median of one run's rounds, without the first, and the last, which evaluates."""
        watch = Stopwatch()
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            hothouse.run(self.scenario(), overrides=list(overrides), engine="local", out=out, observers=[watch])
        return float(np.median(np.diff(watch.times)[:-1]))

    def plainly(self, mu: float) -> float:
        """A round of a loop in PyTorch, (μ/2)‖θ − θ_global‖² in its loss."""
        workload, started = self.workload, time.process_time()
        model = network(workload)
        start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        total = {name: torch.zeros_like(tensor) for name, tensor in start.items()}
        for client in range(workload.cohort):
            model.load_state_dict(start)
            optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
            order = torch.randperm(workload.rows) + client * workload.rows
            for rows_of_batch in order.split(workload.batch):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(self.x[rows_of_batch]), self.y[rows_of_batch])
                if mu:
                    near = sum(((p - start[name]) ** 2).sum() for name, p in model.named_parameters())
                    loss = loss + mu / 2 * near
                torch.autograd.backward(loss)
                optimizer.step()
            for name, tensor in model.state_dict().items():
                total[name] += tensor / workload.cohort
        return time.process_time() - started


def main() -> int:
    """Measure and print; 1 where something is beyond its bound or failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--with", nargs="+", action="append", default=[], metavar="KEY=VALUE", dest="variants")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="rows of these names")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=["W1", "W3"])
    parser.add_argument("--trainers", nargs="+", choices=["compiled", "torch"], default=["compiled", "torch"])
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true", help="print the rows' names")
    options = parser.parse_args()
    if options.list:
        print("\n".join(row.name for row in rows()))
        return 0
    turns, rounds = (2, 4) if options.quick else (options.turns, options.rounds)
    torch.set_num_threads(1)
    own = [Row(" ".join(variant), tuple(variant)) for variant in options.variants]
    chosen = [Row("fedavg"), *own] if own else rows()
    if options.only:
        chosen = [row for row in chosen if row.name in ("fedavg", *options.only)]
    beyond = False
    for name in options.workloads:
        with tempfile.TemporaryDirectory() as folder:
            federation = Federation(WORKLOADS[name], Path(folder), rounds)
            beyond |= report(name, federation, chosen, options.trainers, turns)
    return int(beyond)


def report(workload: str, federation: Federation, chosen: list[Row], trainers: list[str], turns: int) -> bool:
    """Measure a workload and print its table; whether something is beyond its bound."""
    console, took, failed = (
        Console(stderr=True, highlight=False, markup=False),
        dict[tuple[str, str], float](),
        set[str](),
    )
    plain = [float("inf"), float("inf")]

    def measure(row: Row, trainer: str) -> None:
        try:
            if trainer == "compiled" and federation.beyond(row.overrides):
                return
            seconds = federation.seconds([*row.overrides, f"training.trainer={trainer}"])
        except (InputError, RunError) as error:
            console.print(f"{row.name}: {error}")
            failed.add(row.name)
            return
        took[row.name, trainer] = min(seconds, took.get((row.name, trainer), float("inf")))

    for turn in range(turns):
        for place, row in enumerate(chosen):
            console.print(f"{workload}, turn {turn + 1} of {turns}: {row.name} …")
            for trainer in trainers if row.name not in failed else []:
                if place % BETWEEN == 0:
                    measure(chosen[0], trainer)
                measure(row, trainer)
            if place % BETWEEN == 0:
                plain = [min(before, federation.plainly(mu)) for before, mu in zip(plain, (0.0, MU), strict=True)]
    title = f"{workload}: processor seconds of a round; a plain loop {plain[0]:.4f}, with FedProx's term {plain[1]:.4f}"
    headings = {"compiled": ("compiled", "× FedAvg", "bound", "× plain"), "torch": ("PyTorch", "× FedAvg", "× plain")}
    table = Table(title=title)
    for column in ("", *(heading for trainer in trainers for heading in headings[trainer])):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    beyond = False
    for row in chosen:
        cells, limit = list[str](), row.bound
        for trainer in trainers:
            seconds, base = took.get((row.name, trainer)), took["fedavg", trainer]
            if seconds is None:
                wrong = row.name in failed or limit is not None
                cells += [("failed" if row.name in failed else "") + "!" * wrong, *[""] * (len(headings[trainer]) - 1)]
                beyond |= wrong
                continue
            ratio = seconds / base / row.steps
            wrong = trainer == "compiled" and limit is not None and ratio > limit
            beyond |= wrong
            bound = [f"{limit:.2f}" if limit else ""] if trainer == "compiled" else []
            loop = f"{seconds / row.steps / plain[row.name == 'fedprox']:.2f}"
            cells += [f"{seconds:.4f}", f"{ratio:.2f}{'!' if wrong else ' '}", *bound, loop]
        table.add_row(row.name, *cells)
    Console(width=120).print(table)
    return beyond


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (InputError, RunError) as error:
        sys.exit(str(error))
