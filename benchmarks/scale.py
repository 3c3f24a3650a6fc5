"""What a federation's size costs: seconds per round and memory, for ever more clients and always 1,000 per round.

    python benchmarks/scale.py [--clients 10000 1000000] [--cohort 1000] [--rounds 30] [--check]

Clients have 20 rows of 32 features from a linear teacher. Memory is the sum over all processes of their
proportional share of pages (PSS), files that are mapped left out. With `--check` it fails where the largest
federation needs more than 2.5 GB, or a round of it takes 20% longer than one of the smallest.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

GIGABYTE = 1e9
MOST_MEMORY, MOST_SLOWER = 2.5 * GIGABYTE, 1.2


def main() -> None:
    """Run a federation of each size and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--cohort", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--check", action="store_true", help="fail where a target is missed")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.one, options.cohort, options.rounds, options.workers)))
        return
    table = Table(title=f"{options.cohort} clients a round, 20 rows × 32 features each")
    for column in ("clients", "seconds per round", "gigabytes", "seconds in all", "accuracy"):
        table.add_column(column, justify="right")
    found = []
    for clients in options.clients:
        asked = ["--one", str(clients), "--cohort", str(min(clients, options.cohort))]
        more = ["--rounds", str(options.rounds), "--workers", str(options.workers)]
        # A process of its own: nothing of the federation before is left in memory.
        done = subprocess.run([sys.executable, __file__, *asked, *more], stdout=subprocess.PIPE, text=True, check=True)
        one = json.loads(done.stdout.splitlines()[-1])
        found.append(one)
        memory = f"{one['memory'] / GIGABYTE:.2f}"
        table.add_row(f"{clients:,}", f"{one['round']:.4f}", memory, f"{one['total']:.0f}", f"{one['accuracy']:.3f}")
    Console().print(table)
    if options.check and found[-1]["memory"] > MOST_MEMORY:
        sys.exit(f"{found[-1]['memory'] / GIGABYTE:.2f} GB are more than {MOST_MEMORY / GIGABYTE} GB")
    ratio = found[-1]["round"] / found[0]["round"]
    if options.check and ratio > MOST_SLOWER:
        sys.exit(f"a round takes {ratio:.2f} times as long as in the smallest federation")


def measured(clients: int, cohort: int, rounds: int, workers: int) -> dict[str, float]:
    """One federation's median seconds per round, most memory in use, seconds in all and accuracy."""
    import hothouse

    scenario: dict[str, Any] = {
        "data": {
            "source": {"kind": "teacher", "rows": 20 * clients, "features": 32, "classes": 10, "test_rows": 2000},
            "partition": {"scheme": "iid", "clients": clients},
        },
        "model": {"layers": [32]},
        "training": {"batch_size": 10, "optimizer": {"name": "sgd", "lr": 0.1}},
        "federation": {"rounds": rounds, "clients_per_round": cohort},
        "evaluation": {"every": rounds},
    }
    memory, started = _Memory(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, memory:
        metrics = hothouse.run(scenario, workers=workers, out=Path(folder) / "run").metrics
    return {
        # By then every process has touched most pages of the data.
        "round": statistics.median(metrics.seconds[rounds // 2 : -1]),
        "memory": memory.most,
        "total": time.perf_counter() - started,
        "accuracy": metrics.test_accuracy.iloc[-1],
    }


class _Memory:
    """The most memory that this process and those below it were seen to have at once."""

    def __init__(self) -> None:
        self.most = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            family = [os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))]
            self.most = max(self.most, sum(_private(process) for process in family))


def _private(process: int) -> float:
    """A process's proportional share of memory that belongs to no file on disk, in bytes."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    sizes = {line.split()[0]: float(line.split()[1]) * 1024 for line in lines[1:]}
    return sizes.get("Pss_Anon:", 0.0) + sizes.get("Pss_Shmem:", 0.0)


if __name__ == "__main__":
    main()
