"""Rounds to a target where clients' labels differ as much as they can: FedAvg and the remedies against drift.

    python benchmarks/drift.py [--methods fedavg scaffold …] [--seeds 1 2 3 4 5] [--out FILE]

Handwritten digits sorted by their labels and cut into twenty shards, one a client: nobody has more than two labels,
most have one. A round is five epochs of plain SGD. What is counted are rounds until 93% of the server's validation
examples are right, with all clients in every round and with half of them; a run that is not there after 40 rounds
counts as 41. Each method has the learning rate of RATES that took it there first with seed 101, all clients taking
part; the seeds that are reported are others. All methods of a seed share data, start and cohorts, so the difference to
FedAvg is taken seed by seed, with a 95% interval (Student's t). FedNova is not here: with shards of one size it is
FedAvg.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from trials import DIGITS, SEEDS, TUNING_SEEDS, against, cell, markdown, rounds_to, tuned

import hothouse

RATES = (0.03, 0.1, 0.3, 1.0)
TARGET, ROUNDS = 0.93, 40
METHODS: dict[str, dict[str, Any]] = {
    "fedavg": {},
    "fedprox": {"mu": 0.1},
    "scaffold": {},
    "feddyn": {"alpha": 0.1},
    "fedexp": {},
    "moon": {},
}
SHARES = {"all": 1.0, "half": 0.5}


def main() -> None:
    """Tune each method's rate, then count its rounds for every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--out", type=Path, help="write every number as JSON")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for method in dict.fromkeys(["fedavg", *options.methods]):

        def rounds(rate: float, seed: int, clients: float = 1.0, method: str = method) -> int:
            return rounds_to(scenario(method, rate, clients, seed), TARGET)

        rate, tried = tuned(RATES, rounds, TUNING_SEEDS[:1])
        counts = {share: [rounds(rate, seed, clients) for seed in options.seeds] for share, clients in SHARES.items()}
        found[method] = {"rate": rate, "tried": tried, **counts}
        print(f"{method}: {found[method]}", file=sys.stderr)
    print(_table(found))
    if options.out:
        options.out.write_text(json.dumps({"seeds": options.seeds, "rounds": found}, indent=1))


def scenario(method: str, rate: float, clients: float, seed: int) -> dict[str, Any]:
    """Clients of one or two labels."""
    return {
        "name": "drift",
        "seed": seed,
        "data": {
            "source": DIGITS,
            "validation_fraction": 0.2,
            "partition": {"scheme": "shards", "clients": 20, "shards_per_client": 1},
        },
        "model": {"layers": [32]},
        "training": {"epochs": 5, "batch_size": 16, "optimizer": {"name": "sgd", "lr": rate}},
        "federation": {
            "strategy": {"name": method, **METHODS[method]},
            "rounds": ROUNDS,
            "clients_per_round": clients,
        },
        "checkpoints": {"every": ROUNDS},
    }


def _table(found: dict[str, Any]) -> str:
    first, rows = found["fedavg"], []
    for method, numbers in found.items():
        row = [method, f"{numbers['rate']}"]
        for share in SHARES:
            row += [cell(numbers[share]), "" if numbers is first else against(numbers[share], first[share])]
        rows.append(row)
    heads = [head for share in SHARES for head in (f"{share} clients", "against `fedavg`")]
    return markdown(["strategy", "rate", *heads], rows)


if __name__ == "__main__":
    try:
        main()
    except (hothouse.InputError, hothouse.RunError) as error:
        sys.exit(str(error))
