"""How strategies hold when some clients send the opposite of what they learned, many times over.

    python benchmarks/robustness.py [--idx FOLDER] [--seeds N] [--rounds N] [--normalization batch]

Twenty clients with equal random shards take part in each round; six of them (30%) send θ − 5·(θₖ − θ) in place of θₖ.
Prints the final test accuracy of each strategy without and with them: the mean over seeds, and the lowest.
On scikit-learn's digits, or on the idx files (Fashion-MNIST, say) of a folder.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import hothouse

MALICIOUS = range(0, 18, 3)
"""The six clients, spread over the blocks."""
STRATEGIES = {
    "fedavg": "fedavg",
    "fedmedian": "fedmedian",
    "fedtrimmedavg β = 0.3": "{name: fedtrimmedavg, beta: 0.3}",
    "krum f = 6": "{name: krum, malicious_clients: 6}",
    "multikrum f = 6, m = 14": "{name: multikrum, malicious_clients: 6, selected_clients: 14}",
    "bulyan f = 4": "{name: bulyan, malicious_clients: 4}",
    "geometricmedian": "geometricmedian",
}


def scenario(data: dict[str, Any], strategy: str, rounds: int, normalization: str) -> tuple[dict[str, Any], list[str]]:
    """The scenario, and what is set in it."""
    given = {
        "data": {**data, "partition": {"scheme": "iid", "clients": 20}},
        "model": {"layers": [32], "normalization": normalization},
        "training": {"epochs": 1, "batch_size": 16, "optimizer": {"name": "sgd", "lr": 0.1}},
        "federation": {"rounds": rounds},
        "evaluation": {"every": rounds},
    }
    return given, [f"federation.strategy={strategy}"]


def accuracy(data: dict[str, Any], strategy: str, rounds: int, seed: int, attacked: bool, normalization: str) -> float:
    """The final test accuracy of one run; 0.1, which is chance, where it breaks off because nothing is finite."""
    faults = [{"what": "flip", "client": client, "scale": 5.0} for client in MALICIOUS] if attacked else []
    given, overrides = scenario(data, strategy, rounds, normalization)
    with tempfile.TemporaryDirectory() as folder:
        run = hothouse.run(
            given,
            overrides=overrides,
            seed=seed,
            engine="local",
            out=Path(folder) / "run",
            node_config={"faults": json.dumps(faults)},
        )
        return float(run.metrics.test_accuracy.iloc[-1])


def main() -> None:
    """Run everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idx", help="a folder of idx files, in place of digits")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--normalization", default="none")
    options = parser.parse_args()
    digits = {"source": {"kind": "sklearn", "name": "digits"}, "test_fraction": 0.2}
    data = {"source": {"kind": "idx", "path": options.idx}} if options.idx else digits
    print(f"{'strategy':26} {'none malicious':>18} {'30% malicious':>18}")
    for name, strategy in STRATEGIES.items():
        cells = []
        for attacked in (False, True):
            found = [
                accuracy(data, strategy, options.rounds, seed, attacked, options.normalization)
                for seed in range(options.seeds)
            ]
            cells.append(f"{sum(found) / len(found):8.3f} ({min(found):.3f})")
        print(f"{name:26} {cells[0]:>18} {cells[1]:>18}", flush=True)


if __name__ == "__main__":
    main()
