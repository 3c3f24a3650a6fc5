"""What the rules that choose a round's clients are worth where clients differ.

    python benchmarks/selection.py [--federations digits synthetic] [--seeds 1 2 3 4 5] [--out FILE]

*digits*: handwritten digits among forty clients with Dirichlet(0.1) shares of every label, four of which take part in
a round. *synthetic*: Synthetic(1, 1) and a linear model, thirty clients of log-normal sizes whose rows follow models
of their own, three of which take part. A round is two epochs of plain SGD, and FedAvg. Measured are rounds until the
target share of the server's validation examples is right (101 for a run that is not there after 100), and, as means
over the last twenty rounds, since cohorts as small as these make a global model waver, its accuracy on these rows and
on the held-out examples of the tenth of clients that it serves worst. Each rule has, for each federation, the rate that
took it to the target first with two other seeds. Data and start are the same for all rules of a seed, so the difference
to `uniform` is taken seed by seed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import pandas as pd
from trials import DIGITS, SYNTHETIC, TUNING_SEEDS, against, cell, markdown, metrics, reported, rounds_to, tuned


@dataclass(frozen=True)
class Federation:
    """Clients that differ."""

    source: dict[str, Any]
    partition: dict[str, Any]
    layers: list[int]
    cohort: int
    rates: tuple[float, ...]
    target: float


ROUNDS, LAST = 100, 20
FEDERATIONS = {
    "digits": Federation(
        DIGITS,
        {"scheme": "dirichlet", "clients": 40, "alpha": 0.1, "min_rows": 2},
        [32],
        4,
        (0.1, 0.2, 0.4, 0.8),
        0.93,
    ),
    "synthetic": Federation(SYNTHETIC, {"scheme": "natural"}, [], 3, (0.003, 0.01, 0.03, 0.1), 0.7),
}
RULES: dict[str, dict[str, Any]] = {
    "uniform": {"name": "uniform"},
    "round_robin": {"name": "round_robin"},
    "by_size": {"name": "by_size"},
    "power_of_choice, d = 8": {"name": "power_of_choice", "candidates": 8},
    "power_of_choice, d = 20": {"name": "power_of_choice", "candidates": 20},
    "oort": {"name": "oort"},
}
COLUMNS = {"rounds": "rounds", "validation": "accuracy", "worst": "worst tenth of clients"}


def main() -> None:
    """For each federation, tune each rule's rate, then measure it with every seed."""
    reported(
        str(__doc__),
        FEDERATIONS,
        lambda name, seeds: {rule: _measured(name, rule, seeds) for rule in RULES},
        lambda name, found: f"{name}, rounds to {FEDERATIONS[name].target:.0%}:\n\n{_table(found)}",
    )


def _measured(name: str, rule: str, seeds: list[int]) -> dict[str, Any]:
    """The rule's rate, what all of them gave, and its numbers for each seed."""
    federation = FEDERATIONS[name]

    def rounds(rate: float, seed: int) -> int:
        return rounds_to(scenario(federation, rule, rate, seed), federation.target)

    rate, tried = tuned(federation.rates, rounds, TUNING_SEEDS)
    runs = [of_run(metrics(scenario(federation, rule, rate, seed)), federation.target) for seed in seeds]
    found = {"rate": rate, "tried": tried, **{column: [run[column] for run in runs] for column in COLUMNS}}
    print(f"{name}, {rule}: {found}", file=sys.stderr)
    return found


def of_run(run: pd.DataFrame, target: float) -> dict[str, float]:
    """The numbers of one run."""
    there, last = run["round"][run.validation_accuracy >= target], run.tail(LAST)
    return {
        "rounds": int(there.iloc[0]) if len(there) else ROUNDS + 1,
        "validation": float(last.validation_accuracy.mean()),
        "worst": float(last.holdout_accuracy_worst_10.mean()),
    }


def scenario(federation: Federation, rule: str, rate: float, seed: int) -> dict[str, Any]:
    """A federation of different clients, few of which take part in a round."""
    return {
        "name": "selection",
        "seed": seed,
        "data": {
            "source": federation.source,
            "validation_fraction": 0.2,
            "client_holdout": 0.25,
            "partition": federation.partition,
        },
        "model": {"layers": federation.layers},
        "training": {"epochs": 2, "batch_size": 16, "optimizer": {"name": "sgd", "lr": rate}},
        "federation": {"rounds": ROUNDS, "clients_per_round": federation.cohort, "selection": RULES[rule]},
        "checkpoints": {"every": ROUNDS},
    }


def _table(found: dict[str, Any]) -> str:
    first, rows = found["uniform"], []
    for rule, numbers in found.items():
        row = [rule, f"{numbers['rate']}"]
        for name in COLUMNS:
            row += [cell(numbers[name]), "" if numbers is first else against(numbers[name], first[name])]
        rows.append(row)
    heads = [head for column in COLUMNS.values() for head in (column, "against `uniform`")]
    return markdown(["rule", "rate", *heads], rows)


if __name__ == "__main__":
    main()
