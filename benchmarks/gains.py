"""What a method gains: a scenario with and without it, over several seeds.

    python benchmarks/gains.py SCENARIO --without training.augmentation=[] [--seeds 1 2 3 4 5]
        [--with KEY=VALUE …] [--set KEY=VALUE …] [--metric test_accuracy] [--at last|best] [--workers N]

`--set` changes both arms, `--with` the one that has the method, `--without` the other. Both arms of a seed share
its data cut, its start and its cohorts, so the difference is taken seed by seed: the last line is its mean with
a 95% interval (Student's t). A method helps where that interval lies above 0 (below 0 for a loss).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table
from scipy.stats import t as student

import hothouse


def main() -> None:
    """Run both arms for every seed and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", type=Path)
    parser.add_argument("--with", nargs="+", default=[], metavar="KEY=VALUE", dest="adding")
    parser.add_argument("--without", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="both")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--metric", default="test_accuracy")
    parser.add_argument(
        "--at", choices=["last", "best"], default="last", help="best: by the server's validation examples"
    )
    parser.add_argument("--workers", type=int, help="Ray actors; everything in this process if left out")
    parser.add_argument("--out", type=Path, help="write every number as JSON")
    options = parser.parse_args()
    if not options.adding and not options.without:
        parser.error("nothing to compare: give --with or --without")
    arms = {"with": options.both + options.adding, "without": options.both + options.without}
    console = Console(highlight=False)
    found: dict[str, list[float]] = {arm: [] for arm in arms}
    for seed in options.seeds:
        for arm, overrides in arms.items():
            found[arm].append(_measured(options, overrides, seed))
        console.print(f"seed {seed}: " + ", ".join(f"{arm} {values[-1]:.4f}" for arm, values in found.items()))
    console.print(_table(options, found))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        told = {"scenario": str(options.scenario), "metric": options.metric, "seeds": options.seeds, "arms": arms}
        options.out.write_text(json.dumps({**told, "values": found}, indent=1))


def interval(values: list[float]) -> tuple[float, float]:
    """The mean and half the width of its 95% interval: t s / √n, t of n − 1 degrees of freedom."""
    if len(values) < 2:
        return values[0], float("nan")
    half = float(student.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return statistics.fmean(values), half


def _measured(options: argparse.Namespace, overrides: list[str], seed: int) -> float:
    """One run's number."""
    engine = {"engine": "local"} if options.workers is None else {"workers": options.workers}
    with tempfile.TemporaryDirectory() as folder:
        run = hothouse.run(options.scenario, overrides=overrides, seed=seed, out=Path(folder) / "run", **engine)
        if options.at == "best":
            return float(run.summary["best"][options.metric])
        return float(run.metrics[options.metric].dropna().iloc[-1])


def _table(options: argparse.Namespace, found: dict[str, list[float]]) -> Table:
    table = Table(title=f"{options.scenario.stem}: {options.metric} over {len(options.seeds)} seeds")
    table.add_column()
    table.add_column("mean", justify="right")
    table.add_column("95% interval", justify="right")
    differences = [one - other for one, other in zip(found["with"], found["without"], strict=True)]
    for name, values in (*found.items(), ("difference", differences)):
        mean, half = interval(values)
        sign = "+" if name == "difference" else ""
        table.add_row(name, f"{mean:{sign}.4f}", f"{mean - half:{sign}.4f} … {mean + half:{sign}.4f}")
    return table


if __name__ == "__main__":
    try:
        main()
    except (hothouse.InputError, hothouse.RunError) as error:
        sys.exit(str(error))
