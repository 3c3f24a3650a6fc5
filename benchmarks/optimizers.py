"""Every optimizer on Fashion-MNIST, each at its own rate, side by side.

    python benchmarks/optimizers.py FOLDER [--rounds N] [--seeds 1 2 3 4 5]

`scenarios/fashion.yaml` (100 clients by Dirichlet(1), 20 a round) on the files of MNIST's format in FOLDER. Rates are
tuned on the accuracy of a tenth of the training examples that the server keeps, with a seed of its own; the table has
test accuracy, mean and 95% interval (Student's t) over the seeds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import hothouse
from hothouse.comparison.statistics import estimate

SCENARIO = Path(__file__).parents[1] / "scenarios" / "fashion.yaml"
TUNING_SEED = 100
OPTIMIZERS: dict[str, tuple[str, tuple[float, ...]]] = {
    "sgd": ("sgd", (0.03, 0.1, 0.3)),
    "sgd, momentum 0.9": ("sgd, momentum: 0.9", (0.003, 0.01, 0.03)),
    "sgd, Nesterov 0.9": ("sgd, momentum: 0.9, nesterov: true", (0.003, 0.01, 0.03)),
    "momentum (classical)": ("momentum", (0.003, 0.01, 0.03)),
    "averaged_momentum": ("averaged_momentum", (0.03, 0.1, 0.3)),
    "adagrad": ("adagrad", (0.003, 0.01, 0.03)),
    "rmsprop": ("rmsprop", (0.0003, 0.001, 0.003)),
    "adam": ("adam", (0.0003, 0.001, 0.003)),
    "adamw": ("adamw", (0.0003, 0.001, 0.003)),
}
"""What each is called, how a scenario asks for it, and the rates to choose from."""


def main() -> None:
    """Tune each, measure each, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    options = parser.parse_args()
    common = [
        f"data.source.path={options.folder.absolute()}",
        "data.validation_fraction=0.1",
        f"federation.rounds={options.rounds}",
        f"evaluation.every={options.rounds}",
    ]

    def last(optimizer: str, rate: float, seed: int, metric: str) -> float:
        changes = [*common, f"training.optimizer={{name: {optimizer}, lr: {rate}}}"]
        with tempfile.TemporaryDirectory() as scratch:
            run = hothouse.run(SCENARIO, overrides=changes, seed=seed, engine="local", out=Path(scratch) / "run")
            return float(run.metrics[metric].iloc[-1])

    print("| optimizer | rate | test accuracy |")
    print("|---|--:|---|", flush=True)
    for name, (optimizer, rates) in OPTIMIZERS.items():
        tuned = {rate: last(optimizer, rate, TUNING_SEED, "validation_accuracy") for rate in rates}
        best = max(tuned, key=lambda rate: tuned[rate])
        found = estimate([last(optimizer, best, seed, "test_accuracy") for seed in options.seeds])
        print(f"| {name} | {best:g} | {found.text()} |", flush=True)


if __name__ == "__main__":
    main()
