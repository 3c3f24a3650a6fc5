"""What client-level differential privacy costs in accuracy.

    python benchmarks/privacy.py [--idx FOLDER] [--seeds N]

FedAvg with a fixed clipping norm of 1 and central noise; prints for each noise multiplier the final test accuracy
(mean over seeds) and ε at δ = 1e-5, for adding or removing a client without amplification, and for replacing one with
a secret uniform cohort. On scikit-learn's digits among 100 clients, all of which take part, or on the idx files
(Fashion-MNIST, say) of a folder among 2,000, of which 200 take part.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import hothouse
from common.scenario.privacy import Privacy
from server.accounting import epsilon

NOISE = (None, 0.0, 0.5, 1.0, 2.0, 4.0)
ROUNDS = 40


def accuracy(data: dict[str, Any], clients: int, cohort: int, noise: float | None, seed: int) -> float:
    """The final test accuracy of one run; without privacy where there is no noise multiplier."""
    privacy = {} if noise is None else {"privacy": {"clipping_norm": 1.0, "noise_multiplier": noise}}
    scenario = {
        "data": {**data, "partition": {"scheme": "iid", "clients": clients}},
        "model": {"layers": [32]},
        "training": {"epochs": 2, "batch_size": 10, "optimizer": {"name": "sgd", "lr": 0.1}},
        "federation": {"rounds": ROUNDS, "clients_per_round": cohort, **privacy},
        "evaluation": {"every": ROUNDS},
    }
    with tempfile.TemporaryDirectory() as folder:
        run = hothouse.run(scenario, seed=seed, engine="local", out=Path(folder) / "run")
        return float(run.metrics.test_accuracy.iloc[-1])


def main() -> None:
    """Run everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idx", help="a folder of idx files, in place of digits")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    digits = {"source": {"kind": "sklearn", "name": "digits"}, "test_fraction": 0.2}
    data = {"source": {"kind": "idx", "path": options.idx}} if options.idx else digits
    clients, cohort = (2000, 200) if options.idx else (100, 100)
    print(f"{'noise multiplier':16} {'accuracy':>9} {'ε, add/remove':>14} {'ε, replace, secret cohort':>26}")
    for noise in NOISE:
        found = [accuracy(data, clients, cohort, noise, seed) for seed in range(options.seeds)]
        spent = ["∞", "∞"]
        if noise:
            plain, secret = (
                Privacy(noise_multiplier=noise),
                Privacy(noise_multiplier=noise, accounting="without-replacement"),
            )
            spent = [f"{epsilon(privacy, cohort, clients, ROUNDS):.1f}" for privacy in (plain, secret)]
        name = "no privacy" if noise is None else f"{noise:g}"
        print(f"{name:16} {sum(found) / len(found):9.3f} {spent[0]:>14} {spent[1]:>26}", flush=True)


if __name__ == "__main__":
    main()
