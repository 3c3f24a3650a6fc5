"""Seconds per round of a CNN on Fashion-MNIST: Hothouse, Flower's own engine and a plain loop, in turn.

    python benchmarks/cnn.py FOLDER [--turns 3] [--engines hothouse plain flower] [--markdown]

FOLDER has the four files of Fashion-MNIST (idx). All engines train the CNN that ships (McMahan et al. 2017: 1,663,370
parameters) on the same 100 clients of 600 images, ten in a round, one epoch in batches of 10.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console

from common.data import prepare
from common.errors import InputError, RunError
from common.scenario import load_scenario
from hothouse.bench.floor import Floor
from hothouse.bench.turns import ENGINES, as_markdown, as_table, take_turns


def main() -> None:
    """Run the engines in turn and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--turns", type=int, default=3, help="how often each engine has its turn")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--markdown", action="store_true", help="print a table for a page")
    options = parser.parse_args()
    console, engines = Console(stderr=True, highlight=False), {name: ENGINES[name] for name in options.engines}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "images.npz"
        source = {"kind": "idx", "path": str(options.folder.absolute())}
        prepared = prepare(load_scenario({"data": {"source": source, "partition": {"scheme": "iid", "clients": 1}}}))
        training = prepared.training_examples(0)
        images = (np.asarray(prepared.x, dtype=np.float32) / 255).reshape(-1, 1, 28, 28)
        splits = {"train": training, "test": np.asarray(prepared.test)}
        np.savez(
            data,
            **{
                f"{name}_{split}": array[at]
                for split, at in splits.items()
                for name, array in (("x", images), ("y", np.asarray(prepared.y)))
            },
        )
        results = take_turns(engines, ["cnn"], options.turns, options.workers, console.print, data)
    floor = Floor.of(options.workers)
    if options.markdown:
        print(as_markdown(results, floor))
    else:
        Console().print(as_table(results, floor))


if __name__ == "__main__":
    try:
        main()
    except (InputError, RunError) as error:
        sys.exit(str(error))
