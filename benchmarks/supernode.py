"""The super node's two ways side by side: every form of competition, FedAvg, and what to compare them with.

    python benchmarks/supernode.py [--fashion FOLDER] [--rounds N] [--workers N] [--seeds N] [--only …] [--out FOLDER]

`scenarios/supernode.yaml` on three federations: digits among 20 clients, IID and by Dirichlet(0.1), everyone in every
round; and Fashion-MNIST (the four files of MNIST's format in FOLDER) among 100 clients by Dirichlet(0.3), a cohort of
10. Same clients, cohorts and seeds for all. Printed is one table: mean and 95% interval (Student's t) over the seeds of
the accuracy on clients' held-out examples, pooled, of their worst tenth and on the server's test examples; `local` is
measured on each client's own network, so it has no global model to test.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import hothouse
from hothouse.comparison.statistics import estimate

SCENARIO = Path(__file__).parents[1] / "scenarios" / "supernode.yaml"
DIGITS = ["federation.rounds=20"]
FEDERATIONS: dict[str, list[str]] = {
    "digits, IID": [*DIGITS, "data.partition={scheme: iid, clients: 20}"],
    "digits, Dirichlet(0.1)": [*DIGITS, "data.partition={scheme: dirichlet, clients: 20, alpha: 0.1}"],
}
COLUMNS = ("holdout_accuracy", "holdout_accuracy_worst_10", "test_accuracy")
OWN = {"holdout_accuracy": "personal_accuracy", "holdout_accuracy_worst_10": "personal_accuracy_worst_10"}
"""What `local` is measured by."""


def main() -> None:
    """Run every federation and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fashion", type=Path, help="the folder with Fashion-MNIST; left out without it")
    parser.add_argument("--rounds", type=int, default=40, help="of the runs on Fashion-MNIST")
    parser.add_argument("--workers", type=int, help="runs at once; all processors if left out")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--only", nargs="+", metavar="FEDERATION", help="of those that the table names; all if left out"
    )
    parser.add_argument("--out", type=Path, help="keep the runs here")
    options = parser.parse_args()
    federations = dict(FEDERATIONS)
    if options.fashion is not None:
        federations["Fashion-MNIST"] = [
            f"federation.rounds={options.rounds}",
            f"data.source={{kind: idx, path: {options.fashion.absolute()}}}",
            "data.test_fraction=0",
            "data.partition={scheme: dirichlet, clients: 100, alpha: 0.3}",
            "federation.clients_per_round=10",
            "training.epochs=1",
            "training.optimizer.lr=0.01",
        ]
    if options.only:
        federations = {name: changes for name, changes in federations.items() if name in options.only}
    print("| federation | strategy | held-out accuracy | worst tenth of clients | test accuracy |")
    print("|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name, changes in federations.items():
            out = (options.out or Path(scratch)) / name.replace(" ", "-")
            overrides = [*changes, f"seeds={options.seeds}"]
            for line in table(hothouse.sweep(SCENARIO, overrides=overrides, workers=options.workers, out=out)):
                print(f"| {name} | {' | '.join(line)} |", flush=True)


def table(sweep: hothouse.Sweep) -> list[list[str]]:
    """A line for each strategy, the best on held-out examples first."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in sweep.runs.values():
        strategy = record.scenario.federation.strategy
        name = f"{strategy.name} {getattr(strategy, 'mode', '')}".strip()
        groups.setdefault(name, []).append(record.metrics.iloc[-1].to_dict())
    found = []
    for name, lasts in groups.items():
        names = [OWN.get(column, "") if name == "local" else column for column in COLUMNS]
        cells = [estimate([float(last[column]) for last in lasts]) if column else None for column in names]
        found.append(
            (cells[0].mean if cells[0] else 0.0, [f"`{name}`", *(cell.text() if cell else "–" for cell in cells)])
        )
    return [line for _, line in sorted(found, key=lambda pair: -pair[0])]


if __name__ == "__main__":
    main()
