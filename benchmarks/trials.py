"""What the benchmarks of methods share: a run's numbers, rounds to a target, tuning, and tables for the documents."""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

import hothouse
from common.extend.events import Observer
from common.run_files import Metrics
from hothouse.comparison.statistics import estimate

TUNING_SEEDS = [101, 102]
"""What is tuned is tuned with these seeds, and reported with others."""
SEEDS = [1, 2, 3, 4, 5]
DIGITS = {"kind": "sklearn", "name": "digits"}
SYNTHETIC = {"kind": "synthetic", "clients": 30, "alpha": 1.0, "beta": 1.0, "most_rows": 1000}
"""FedProx's Synthetic(1, 1): every client has a model and features of its own, sizes are log-normal."""

T = TypeVar("T")


def metrics(scenario: dict[str, Any], **more: Any) -> pd.DataFrame:
    """A row for each round of a run in this process; `more` goes to `hothouse.run`."""
    with tempfile.TemporaryDirectory() as folder:
        return hothouse.run(scenario, engine="local", out=Path(folder) / "run", **more).metrics


def rounds_to(scenario: dict[str, Any], target: float) -> int:
    """The first round after which this share of the validation examples is right; one more than the last if none."""
    watch = _Target(target, scenario["federation"]["rounds"] + 1)
    with suppress(_Reached):
        metrics(scenario, observers=[watch])
    return watch.reached


def tuned(candidates: Iterable[T], score: Callable[[T, int], float], seeds: Sequence[int]) -> tuple[T, list[float]]:
    """The candidate whose mean score over the seeds is least, of equals the first; and all mean scores."""
    candidates = list(candidates)
    scores = [sum(_tried(score, candidate, seed) for seed in seeds) / len(seeds) for candidate in candidates]
    return candidates[scores.index(min(scores))], scores


def _tried(score: Callable[[T, int], float], candidate: T, seed: int) -> float:
    """Some rates are too large: a run that breaks off, since no client's weights are finite, is worse than any."""
    try:
        return score(candidate, seed)
    except hothouse.RunError:
        return math.inf


def cell(values: Sequence[float]) -> str:
    """A mean with its 95% interval (Student's t)."""
    return estimate([float(value) for value in values]).text()


def against(values: Sequence[float], others: Sequence[float]) -> str:
    """The mean difference, taken seed by seed, with its 95% interval."""
    found = cell([one - other for one, other in zip(values, others, strict=True)])
    return found.replace("-", "−") if found.startswith("-") else f"+{found}"


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as the documents have it."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def reported(
    about: str,
    federations: Iterable[str],
    measured: Callable[[str, list[int]], dict[str, Any]],
    shown: Callable[[str, dict[str, Any]], str],
) -> None:
    """A benchmark's main part: measure the federations that the command line names, or all, with its seeds.

    `measured` gives a federation's numbers, `shown` what is printed of them; `--out` keeps them all as JSON.
    """
    federations = list(federations)
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--federations", nargs="+", choices=federations, default=federations)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--out", type=Path, help="write every number as JSON")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for name in options.federations:
        try:
            found[name] = measured(name, options.seeds)
        except (hothouse.InputError, hothouse.RunError) as error:
            sys.exit(str(error))
        print(f"\n{shown(name, found[name])}", flush=True)
        if options.out:
            options.out.write_text(json.dumps({"seeds": options.seeds, "found": found}, indent=1))


class _Reached(Exception):
    """The target is reached: what would follow is not needed."""


class _Target(Observer):
    """Ends a run at the target."""

    def __init__(self, target: float, never: int) -> None:
        self.target, self.reached = target, never

    def on_round_end(self, metrics: Metrics) -> None:
        """Look at the validation examples."""
        if metrics["validation_accuracy"] >= self.target:
            self.reached = metrics["round"]
            raise _Reached
