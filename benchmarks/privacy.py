"""What client-level differential privacy costs in accuracy.

    python benchmarks/privacy.py [--idx FOLDER] [--seeds N]

FedAvg with a fixed clipping norm of 1 and central noise, once with cohorts by Poisson sampling and once of the same
fixed size. Prints for each noise multiplier the final test accuracies (means over seeds) and ε at δ = 1e-5: for a
client added or removed (Poisson), and, with fixed cohorts, for a change replaced by zero and for a client replaced by
another where nobody learns who took part. On scikit-learn's digits among 100 clients, 20 of which take part, or on the
idx files
(Fashion-MNIST, say) of a folder among 2,000, of which 200 take part.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import hothouse
from server.accounting import PrivacyMechanism

NOISE = (None, 0.0, 0.5, 1.0, 2.0, 4.0)
ROUNDS, DELTA = 40, 1e-5


def accuracy(data: dict[str, Any], clients: int, cohort: int, noise: float | None, seed: int, poisson: bool) -> float:
    """The final test accuracy of one run; without privacy where there is no noise multiplier."""
    privacy = {} if noise is None else {"privacy": {"clipping_norm": 1.0, "noise_multiplier": noise}}
    rule = {"selection": {"name": "poisson", "rate": cohort / clients}} if poisson else {"clients_per_round": cohort}
    scenario = {
        "data": {**data, "partition": {"scheme": "iid", "clients": clients}},
        "model": {"layers": [32]},
        "training": {"epochs": 2, "batch_size": 10, "optimizer": {"name": "sgd", "lr": 0.1}},
        "federation": {"rounds": ROUNDS, **rule, **privacy},
        "evaluation": {"every": ROUNDS},
    }
    with tempfile.TemporaryDirectory() as folder:
        run = hothouse.run(scenario, seed=seed, engine="local", out=Path(folder) / "run")
        return float(run.metrics.test_accuracy.iloc[-1])


def spent(clients: int, cohort: int, noise: float) -> list[str]:
    """The three ε."""
    poisson = PrivacyMechanism(noise, DELTA, rate=cohort / clients).statements(ROUNDS)
    fixed = PrivacyMechanism(noise, DELTA, secret=(cohort, clients)).statements(ROUNDS)
    return [f"{one.epsilon:.1f}" for one in (*poisson, *fixed)]


def main() -> None:
    """Run everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idx", help="a folder of idx files, in place of digits")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    digits = {"source": {"kind": "sklearn", "name": "digits"}, "test_fraction": 0.2}
    data = {"source": {"kind": "idx", "path": options.idx}} if options.idx else digits
    clients, cohort = (2000, 200) if options.idx else (100, 20)
    print(f"{'noise':>10} {'Poisson':>9} {'fixed':>9} {'ε added/removed':>17} {'ε zeroed out':>13} {'ε replaced':>11}")
    for noise in NOISE:
        found = [
            sum(accuracy(data, clients, cohort, noise, seed, poisson) for seed in range(options.seeds)) / options.seeds
            for poisson in (True, False)
        ]
        name = "no privacy" if noise is None else f"{noise:g}"
        told = spent(clients, cohort, noise) if noise else ["∞"] * 3
        print(f"{name:>10} {found[0]:9.3f} {found[1]:9.3f} {told[0]:>17} {told[1]:>13} {told[2]:>11}", flush=True)


if __name__ == "__main__":
    main()
