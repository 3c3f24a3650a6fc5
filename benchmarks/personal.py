"""What models of clients' own are worth where labels are skewed, and where rows look different from client to client.

    python benchmarks/personal.py [--federations dirichlet …] [--seeds 1 2 3 4 5] [--out FILE]

Handwritten digits among twenty clients, half of which take part in each of 20 rounds. *two labels*: everyone has two of
the ten. *dirichlet*: Dirichlet(0.3) shares of every label. *brightness*: equal random shards, and each client's images
are lighter or darker by up to 16, as much as a pixel's whole range. *rotation*: the same, but turned by up to 90
degrees. Measured is the accuracy on clients' own held-out examples of what each would use, its own model or, with
FedAvg, the global one: the mean over clients, and the worst tenth of them. Each method has the learning rate and
options, of those in METHODS, of the best mean with another seed. FedBN needs batch normalization, so `fedavg` and
`local` stand beside it with that as well; all others train without.
"""

from __future__ import annotations

import sys
from itertools import product
from typing import Any

from trials import DIGITS, TUNING_SEEDS, against, cell, markdown, metrics, reported, tuned

RATES = (0.03, 0.1, 0.3, 0.6)
CLIENTS, ROUNDS = 20, 20
FEDERATIONS: dict[str, dict[str, Any]] = {
    "two labels": {"partition": {"scheme": "pathological", "clients": CLIENTS, "labels_per_client": 2}},
    "dirichlet": {"partition": {"scheme": "dirichlet", "clients": CLIENTS, "alpha": 0.3}},
    "brightness": {
        "partition": {"scheme": "iid", "clients": CLIENTS},
        "skew": [{"kind": "channel_shift", "amount": 16}],
    },
    "rotation": {"partition": {"scheme": "iid", "clients": CLIENTS}, "skew": [{"kind": "rotation", "degrees": 90}]},
}
METHODS: dict[str, list[dict[str, Any]]] = {
    "fedavg": [{"name": "fedavg"}],
    "local": [{"name": "local"}],
    "fedper": [{"name": "fedper"}],
    "fedrep": [{"name": "fedrep", "head_epochs": epochs} for epochs in (1, 5)],
    "ditto": [{"name": "ditto", "lambda": near} for near in (0.1, 1.0)],
    "pfedme": [{"name": "pfedme", "lambda": 2.0, "lr": rate, "inner_steps": 3} for rate in (0.1, 0.3)],
    "ifca": [{"name": "ifca", "clusters": clusters} for clusters in (2, 4)],
    "fedavg, normalized": [{"name": "fedavg"}],
    "local, normalized": [{"name": "local"}],
    "fedbn, normalized": [{"name": "fedbn"}],
}
"""The strategies that each may choose from."""


def main() -> None:
    """For each federation, tune each method, then measure it with every seed."""
    reported(
        str(__doc__),
        FEDERATIONS,
        lambda name, seeds: {method: _best_of(name, method, seeds) for method in METHODS},
        lambda name, found: f"{name}:\n\n{_table(found)}",
    )


def _best_of(federation: str, method: str, seeds: list[int]) -> dict[str, Any]:
    normalization = "batch" if method.endswith("normalized") else "none"

    def accuracies(candidate: tuple[dict[str, Any], float], seed: int) -> tuple[float, float]:
        return measured(scenario(federation, normalization, *candidate, seed))

    candidates = list(product(METHODS[method], RATES))
    chosen, scores = tuned(candidates, lambda candidate, seed: -accuracies(candidate, seed)[0], TUNING_SEEDS[:1])
    means, worst = zip(*(accuracies(chosen, seed) for seed in seeds), strict=True)
    tried = [[strategy, rate, -score] for (strategy, rate), score in zip(candidates, scores, strict=True)]
    found = {"strategy": chosen[0], "rate": chosen[1], "tried": tried, "mean": means, "worst": worst}
    print(f"{federation}, {method}: {found}", file=sys.stderr)
    return found


def measured(given: dict[str, Any]) -> tuple[float, float]:
    """The last round's accuracy on clients' held-out examples: the mean over clients, and the worst tenth of them."""
    last = metrics(given).iloc[-1]
    # Without models of their own, clients use the global one; with `local` there is nothing but their own.
    split = "personal" if "personal_accuracy_mean" in last else "holdout"
    return float(last[f"{split}_accuracy_mean"]), float(last[f"{split}_accuracy_worst_10"])


def scenario(federation: str, normalization: str, strategy: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """A federation whose clients differ in one way."""
    return {
        "name": "personal",
        "seed": seed,
        "data": {"source": DIGITS, "client_holdout": 0.3, **FEDERATIONS[federation]},
        "model": {"layers": [64, 32], "normalization": normalization},
        "training": {"epochs": 2, "batch_size": 16, "optimizer": {"name": "sgd", "lr": rate}},
        "federation": {"strategy": strategy, "rounds": ROUNDS, "clients_per_round": 0.5},
        "evaluation": {"every": ROUNDS},
        "checkpoints": {"every": ROUNDS},
    }


def _table(found: dict[str, Any]) -> str:
    rows = []
    for method, numbers in sorted(found.items(), key=lambda item: -sum(item[1]["mean"])):
        options = ", ".join(f"{k} {v}" for k, v in numbers["strategy"].items() if k != "name")
        over = "" if method == "fedavg" else against(numbers["mean"], found["fedavg"]["mean"])
        rows.append([method, options, f"{numbers['rate']}", cell(numbers["mean"]), over, cell(numbers["worst"])])
    return markdown(["", "options", "rate", "mean over clients", "against `fedavg`", "worst tenth"], rows)


if __name__ == "__main__":
    main()
