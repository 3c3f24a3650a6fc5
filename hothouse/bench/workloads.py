"""What is measured: federations of small networks, their data, and the arithmetic in a round of them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CLASSES = 10
RATE = 0.05


@dataclass(frozen=True)
class Workload:
    """A federation and what is done in a round of it."""

    clients: int
    rows: int
    features: int
    hidden: tuple[int, ...]
    batch: int
    cohort: int
    rounds: int
    """After how many rounds every engine is tested; quick ones are then timed for longer."""
    timed: int
    """How many rounds Hothouse is timed for."""
    channels: tuple[int, ...] = ()
    """Of the convolutions of a CNN, 5×5 with 2×2 pooling behind each; none for an MLP."""

    @property
    def side(self) -> int:
        """The height and width of a CNN's images."""
        return math.isqrt(self.features)

    @property
    def operations(self) -> int:
        """Floating-point operations in the matrix products of a round.

        Two for each weight and example, and pixel of a convolution, forward, two for its gradient and, behind the first
        layer, two for its inputs'.
        """
        side, products = self.side, list[int]()
        for before, after in itertools.pairwise((1, *self.channels)):
            products.append(before * after * 25 * side**2)
            side //= 2
        flat = self.channels[-1] * side**2 if self.channels else self.features
        products += [before * after for before, after in itertools.pairwise((flat, *self.hidden, CLASSES))]
        per_example = sum((4 if layer == 0 else 6) * product for layer, product in enumerate(products))
        return self.cohort * self.rows * per_example

    @property
    def bytes(self) -> int:
        """Bytes of the examples that a round looks at."""
        return 4 * self.cohort * self.rows * self.features


WORKLOADS = {
    "W1": Workload(100, 600, 784, (200, 200), 10, 10, rounds=10, timed=40),
    "W2": Workload(1000, 32, 64, (32,), 16, 100, rounds=10, timed=200),
    "W3": Workload(1000, 32, 64, (32,), 16, 1000, rounds=5, timed=100),
    "empty": Workload(2, 10, 4, (), 10, 2, rounds=10, timed=300),
}

IMAGES = {"cnn": Workload(100, 600, 784, (512,), 10, 10, rounds=5, timed=6, channels=(32, 64))}
"""Workloads whose data are images: `benchmarks/cnn.py` has them."""

SERIES = {
    "clients": {n: Workload(n, 32, 64, (32,), 16, n, rounds=3, timed=12) for n in (10, 100, 1000, 10_000, 100_000)},
    "width": {n: Workload(100, 600, 784, (n,), 10, 10, rounds=5, timed=12) for n in (8, 32, 128, 512, 2048)},
}
"""Workloads that differ in one number: how many clients train in a round, how wide the hidden layer is."""


def workload(name: str) -> Workload:
    """The workload of this name, or of a series the one at a number, written as in `width=128`."""
    series, _, number = name.partition("=")
    return SERIES[series][int(number)] if number else (WORKLOADS | IMAGES)[name]


def make_data(workload: Workload, path: Path) -> None:
    """Rows that a linear teacher labels, so that there is something to learn; a tenth as many to test on."""
    rng = np.random.default_rng(0)
    rows = workload.clients * workload.rows
    x = rng.standard_normal((rows + rows // 10, workload.features), dtype=np.float32)
    y = (x @ rng.standard_normal((workload.features, CLASSES), dtype=np.float32)).argmax(axis=1)
    np.savez(path, x_train=x[:rows], y_train=y[:rows], x_test=x[rows:], y_test=y[rows:])
