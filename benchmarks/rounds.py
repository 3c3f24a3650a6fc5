"""Seconds per round in steady state: Hothouse, Flower's own engine, other simulators and a plain loop, in turn.

    python benchmarks/rounds.py [--workloads W1 W3] [--turns 3] [--engines hothouse plain flower]
        [--peer fedjax=/path/to/python] [--peer pfl=…] [--peer fluke=…] [--markdown] [--out times.json]

Every engine trains the same clients on the same rows with the same settings and averages them with FedAvg. The
engines take turns, several times, so that a machine that is slow for a while is slow for all; the medians and
their ratios are printed, with the accuracy that each reached beside them. Flower gets the best setting found:
actors that stay, one processor each, one thread in PyTorch. A peer is run by the Python of an environment in
which it is installed: see the scripts `peer_*.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from common.errors import RunError
from hothouse.bench.floor import Floor
from hothouse.bench.turns import ENGINES, as_markdown, as_table, take_turns
from hothouse.bench.workloads import WORKLOADS


def main() -> None:
    """Run the engines in turn and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="fedjax, pfl or fluke")
    parser.add_argument("--turns", type=int, default=3, help="how often each engine has its turn")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--markdown", action="store_true", help="print a table for a page")
    parser.add_argument("--out", type=Path, help="write all times as JSON")
    options = parser.parse_args()
    engines = {engine: ENGINES[engine] for engine in options.engines}
    for peer in options.peer:
        name, _, python = peer.partition("=")
        # Peers know nothing of Hothouse: they are told the workloads.
        told = json.dumps({name: asdict(workload) for name, workload in WORKLOADS.items()})
        engines[name] = [python, str(Path(__file__).with_name(f"peer_{name}.py")), told]
    console = Console(stderr=True, highlight=False)
    results = take_turns(engines, options.workloads, options.turns, options.workers, console.print)
    floor = Floor.of(options.workers)
    if options.markdown:
        print(as_markdown(results, floor))
    else:
        Console().print(as_table(results, floor))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    try:
        main()
    except RunError as error:
        sys.exit(str(error))
