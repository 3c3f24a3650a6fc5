"""Rounds to a target where clients have very different numbers of rows: FedNova, FedAvg, and equal steps for all.

    python benchmarks/unequal.py [--federations number label model] [--seeds 1 2 3 4 5] [--out FILE]

*number*: handwritten digits among twenty clients, random shards whose sizes follow a power law. *label*: the same
digits, of two labels each, in log-normal amounts. *model*: Synthetic(1, 1) and a linear model, thirty clients of
log-normal sizes whose rows follow models of their own. A round is two epochs of plain SGD, or for all clients the
number of steps that two epochs of a mean shard are. Counted are rounds until the target share of the server's
validation examples is right; a run that is not there after 60 rounds counts as 61. Each method has, for each federation
and cohort, the rate that took it there first with two other seeds. Data, start and cohorts are the same for all
methods of a seed, so the difference to FedAvg is taken seed by seed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from trials import DIGITS, SYNTHETIC, TUNING_SEEDS, against, cell, markdown, reported, rounds_to, tuned


@dataclass(frozen=True)
class Federation:
    """Clients with unequal shards."""

    source: dict[str, Any]
    partition: dict[str, Any]
    layers: list[int]
    rates: tuple[float, ...]
    target: float
    steps: int
    """About two epochs of a mean shard, in batches."""


ROUNDS, EPOCHS, BATCH = 60, 2, 16
DIGIT_RATES = (0.1, 0.3, 0.6, 1.0, 1.5)
FEDERATIONS = {
    "number": Federation(
        DIGITS, {"scheme": "power_law", "clients": 20, "exponent": 1.0, "min_rows": 4}, [32], DIGIT_RATES, 0.96, 9
    ),
    "label": Federation(
        DIGITS,
        {"scheme": "distribution", "clients": 20, "labels_per_client": 2, "sigma": 2.0},
        [32],
        DIGIT_RATES,
        0.93,
        9,
    ),
    "model": Federation(SYNTHETIC, {"scheme": "natural"}, [], (0.003, 0.01, 0.03, 0.1), 0.75, 19),
}
METHODS = {"fedavg, epochs": "fedavg", "fednova, epochs": "fednova", "fedavg, steps": "fedavg"}
SHARES = {"all": 1.0, "half": 0.5}


def main() -> None:
    """For each federation, tune each method's rate, then count its rounds for every seed."""
    reported(
        str(__doc__),
        FEDERATIONS,
        lambda name, seeds: {method: _counted(name, method, seeds) for method in METHODS},
        lambda name, found: f"{name}, rounds to {FEDERATIONS[name].target:.0%}:\n\n{_table(found)}",
    )


def _counted(name: str, method: str, seeds: list[int]) -> dict[str, Any]:
    """For each cohort the rate that is best, what all of them gave, and the rounds of each seed."""
    federation, found = FEDERATIONS[name], dict[str, Any]()
    for share, clients in SHARES.items():

        def rounds(rate: float, seed: int, clients: float = clients) -> int:
            return rounds_to(scenario(federation, method, rate, clients, seed), federation.target)

        rate, tried = tuned(federation.rates, rounds, TUNING_SEEDS)
        found[share] = {"rate": rate, "tried": tried, "rounds": [rounds(rate, seed) for seed in seeds]}
        print(f"{name}, {method}, {share}: {found[share]}", file=sys.stderr)
    return found


def scenario(federation: Federation, method: str, rate: float, clients: float, seed: int) -> dict[str, Any]:
    """A federation in which clients' work differs, or with steps does not."""
    work = {"steps": federation.steps} if method.endswith("steps") else {"epochs": EPOCHS}
    return {
        "name": "unequal",
        "seed": seed,
        "data": {"source": federation.source, "validation_fraction": 0.2, "partition": federation.partition},
        "model": {"layers": federation.layers},
        "training": {**work, "batch_size": BATCH, "optimizer": {"name": "sgd", "lr": rate}},
        "federation": {"strategy": METHODS[method], "rounds": ROUNDS, "clients_per_round": clients},
        "checkpoints": {"every": ROUNDS},
    }


def _table(found: dict[str, Any]) -> str:
    heads = [head for share in SHARES for head in (f"{share} clients", "rate", "against the first")]
    first, rows = next(iter(found.values())), []
    for method, numbers in found.items():
        row = [method]
        for share in SHARES:
            counts, others = numbers[share]["rounds"], first[share]["rounds"]
            row += [cell(counts), f"{numbers[share]['rate']}", "" if numbers is first else against(counts, others)]
        rows.append(row)
    return markdown(["", *heads], rows)


if __name__ == "__main__":
    main()
