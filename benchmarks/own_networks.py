"""Processor seconds of a round of networks that are no mlp: in stacks, one by one, and by a plain loop, in turn.

    python benchmarks/own_networks.py [--turns 3] [--examples 60]

Drawn examples; the plain loop trains the same module with `torch.optim.SGD`. One process, one thread.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from device import Case, Federation, train, train_plainly

DENSE = '''
import math

from torch import nn

from hothouse.extend import ModelPart, key


class Dense(ModelPart, name="dense"):
    """Dense layers with ReLU, and dropout if wanted."""

    widths: tuple[int, ...] = key("Widths of the hidden layers.", (200, 200), strict=False)
    drop: float = key("Share of the units that is dropped.", 0.0)

    def build(self, data):
        sizes, layers = [math.prod(data.shape), *self.widths], [nn.Flatten()]
        for before, after in zip(sizes, sizes[1:]):
            layers += [nn.Linear(before, after), nn.ReLU(), *([nn.Dropout(self.drop)] if self.drop else [])]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], data.outputs))
'''
CASES = {
    "dense 784-200-200-10": (10, Case(28, {"name": "dense"}, 10)),
    "dense 784-1024-1024-10": (4, Case(28, {"name": "dense", "widths": [1024, 1024]}, 10)),
    "dense 64-32-10": (100, Case(8, {"name": "dense", "widths": [32]}, 16)),
    "the same with dropout": (100, Case(8, {"name": "dense", "widths": [32], "drop": 0.2}, 16)),
    "residual_mlp": (100, Case(8, {"name": "residual_mlp"}, 16)),
    "cnn, channels 8 and 16": (10, Case(28, {"name": "cnn", "channels": [8, 16], "layers": [32]}, 10)),
    "cnn": (10, Case(28, {"name": "cnn"}, 10)),
    "vae, layers 256 and 128": (10, Case(28, {"name": "vae", "binarize": "sampled", "conditional": True}, 10)),
    "next_token": (10, Case(0, {"name": "next_token"}, 10)),
    "next_token, context 8, layers 32": (
        100,
        Case(0, {"name": "next_token", "context": 8, "embedding": 8, "layers": [32]}, 16),
    ),
    "vae, 64-32-4": (100, Case(8, {"name": "vae", "layers": [32], "latent": 4}, 16)),
}


def main() -> None:
    """A row for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--examples", type=int, default=60, help="of each client")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| network | clients | batch | auto | seconds | one by one | plain loop |\n|---|--:|--:|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("dense.py").write_text(DENSE, encoding="utf-8")
        for name, (clients, shape) in CASES.items():
            case = replace(shape, examples=options.examples)
            uses = ["dense.py"] if case.model["name"] == "dense" else []
            auto, alone = (Federation(case, clients, Path(folder), uses, stacked) for stacked in ("auto", "no"))
            ways: list[Callable[[], object]] = [
                partial(train, auto, "cpu", "torch"),
                partial(train, alone, "cpu", "torch"),
                partial(train_plainly, alone, case, torch.device("cpu")),
            ]
            taken: list[list[float]] = [[] for _ in ways]
            for _ in range(options.turns + 1):
                for place, do in enumerate(ways):
                    started = time.process_time()
                    do()
                    taken[place].append(time.process_time() - started)
            # The first turn makes what the others find.
            cells = [f"{statistics.median(one[1:]):.2f}" for one in taken]
            way = "in stacks" if auto.network.stacks else "one by one"
            print(f"| {name} | {clients} | {case.batch} | {way} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
