"""What each group of runs reached, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

from hothouse.comparison.groups import Group, Groups, differing_keys
from hothouse.comparison.statistics import Estimate, PairedTest, estimate, paired
from hothouse.results.records import RunRecords

if TYPE_CHECKING:
    pass

_MOST_PAIRED = 8
"""Of more groups each is tested against the first alone: who compares all with all finds something."""


@dataclass(frozen=True)
class Target:
    """A value of a metric that runs are to reach."""

    metric: str
    value: float
    given: bool
    """Whether the user named it."""
    more_is_better: bool

    def reached(self, value: float) -> bool:
        """Whether a value is as good."""
        return value >= self.value if self.more_is_better else value <= self.value

    def text(self) -> str:
        """Such as accuracy ≥ 0.95."""
        return f"{self.metric.replace('_', ' ')} {'≥' if self.more_is_better else '≤'} {self.value:.4g}"


@dataclass(frozen=True)
class TargetReached:
    """When a run reached the target."""

    round: int
    bytes: float
    """Down and up, to the end of that round."""
    seconds: float


@dataclass(frozen=True)
class Row:
    """What a group of runs reached."""

    label: str
    runs: int
    status: str
    """`complete`, or how far its runs got, and which of them ended without a number."""
    final: Estimate | None
    """The metric after the last round; None where a run has no finite value there."""
    chosen: Estimate | None
    """The metric after the round that is best on the validation examples, else on held-out examples."""
    worst: Estimate | None
    """The metric's mean over the worst tenth of the clients, after the last round."""
    reached: list[TargetReached]
    """When the target was reached, by those runs that reached it."""
    seconds: Estimate
    """Of the whole run."""
    bytes: Estimate
    """Down and up, of the whole run."""

    def to_target(self, what: str) -> Estimate | None:
        """The mean round, bytes or seconds at the target, of the runs that reached it."""
        return estimate([float(getattr(one, what)) for one in self.reached]) if self.reached else None


@dataclass(frozen=True)
class ComparedRuns:
    """Runs beside each other."""

    found: Groups
    metric: str
    """The name of a column of metrics.jsonl, such as test_accuracy."""
    target: Target

    @property
    def groups(self) -> list[Group]:
        """Runs of the same scenario up to the seed."""
        return self.found.groups

    @cached_property
    def rows(self) -> list[Row]:
        """What each group reached."""
        return [self._row(group) for group in self.groups]

    @cached_property
    def tests(self) -> list[PairedTest]:
        """Pairs of complete groups over the seeds at which both have a finite value after the last round.

        All pairs; of more than 8 groups each against the first.
        """
        finished = [group for group in self.groups if group.complete]
        pairs = list(combinations(finished, 2))
        if len(finished) > _MOST_PAIRED:
            pairs = [(group, finished[0]) for group in finished[1:]]
        told = []
        for one, other in pairs:
            seeds = sorted(one.by_seed.keys() & other.by_seed.keys())
            both = [(self._last(one.by_seed[seed]), self._last(other.by_seed[seed])) for seed in seeds]
            both = [values for values in both if math.isfinite(sum(values))]
            if len(both) >= 2:
                told.append((one.label, other.label, *map(list, zip(*both, strict=True))))
        return paired(told)  # type: ignore[arg-type]

    @property
    def differences(self) -> list[str]:
        """The scenario's dotted keys that tell the groups apart."""
        return differing_keys(self.groups)

    def _last(self, run: RunRecords) -> float:
        return last_value(run, self.metric)

    def _row(self, group: Group) -> Row:
        finals = [self._last(run) for run in group.runs]
        lost = [seed for seed, value in zip(group.by_seed, finals, strict=True) if not math.isfinite(value)]
        status = "complete" if group.complete else f"incomplete, {_how_far(group)}"
        if lost:
            status += f"; no finite value in the end with seed {', '.join(map(str, lost))}"
        bests = [run.summary.get("best") or {} for run in group.runs]
        chosen = [best[self.metric] for best in bests if best.get(self.metric) is not None]
        worst = [values[-1] for run in group.runs if (values := run.column(_worst_tenth(self.metric))[1])]
        reached = [at for run in group.runs if (at := when_reached(run, self.target)) is not None]
        return Row(
            label=group.label,
            runs=len(group.runs),
            status=status,
            final=None if lost else estimate(finals),
            chosen=estimate(chosen) if len(chosen) == len(finals) else None,
            worst=estimate(worst) if len(worst) == len(finals) else None,
            reached=reached,
            seconds=estimate([sum(line["seconds"] for line in run.metrics) for run in group.runs]),
            bytes=estimate([sum(line["bytes_down"] + line["bytes_up"] for line in run.metrics) for run in group.runs]),
        )


def last_value(run: RunRecords, metric: str) -> float:
    """A run's metric after the last round that measured it; NaN where that is no finite number, or none did."""
    measured = [line[metric] for line in run.metrics if metric in line]
    return math.nan if not measured or measured[-1] is None else float(measured[-1])


def _how_far(group: Group) -> str:
    rounds = sorted({run.metrics[-1]["round"] for run in group.runs})
    return f"after round {rounds[0]}" + (f" to {rounds[-1]}" if len(rounds) > 1 else "")


def when_reached(run: RunRecords, target: Target) -> TargetReached | None:
    """The first round after which the target was reached, and what it had cost; None where it never was."""
    bytes_, seconds = 0.0, 0.0
    for line in run.metrics:
        bytes_ += line["bytes_down"] + line["bytes_up"]
        seconds += line["seconds"]
        value = line.get(target.metric)
        if value is not None and target.reached(value):
            return TargetReached(line["round"], bytes_, seconds)
    return None


def _worst_tenth(metric: str) -> str:
    """The column with the worst tenth of the clients for the same metric."""
    split, _, base = metric.partition("_")
    return f"{'personal' if split == 'personal' else 'holdout'}_{base or metric}_worst_10"
