"""Ending a run before its last round."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field

from common.errors import InputError
from common.metrics import more_is_better
from common.scenario.base import key
from common.scenario.callbacks import CallbackPart

_Direction = Literal["auto", "maximize", "minimize"]


def _values(history: list[dict[str, Any]], metric: str) -> list[float]:
    """The metric after each evaluated round. Raises InputError where it is not measured."""
    values = [line[metric] for line in history if line.get(metric) is not None]
    if not values and not (metric == "train_loss" and len(history) == 1):
        known = sorted(name for name, value in history[-1].items() if isinstance(value, float))
        raise InputError(f"{metric} is not measured in this run; expected one of {', '.join(known)}", "callbacks")
    return values


def _sign(direction: _Direction, metric: str) -> float:
    better = more_is_better(metric) if direction == "auto" else direction == "maximize"
    return 1.0 if better else -1.0


class StopWithoutImprovement(CallbackPart, name="early_stopping"):
    """Ends the run when a metric has not improved for some evaluated rounds (Goodfellow et al. 2016, algorithm 7.1)."""

    metric: Annotated[str, Field(pattern="^(validation|holdout|personal|train)_[a-z0-9_]+$")] = key(
        "A column of metrics.jsonl, such as holdout_loss. Not one of test examples: nothing is selected by these.",
        "validation_loss",
    )
    patience: int = key("Evaluated rounds without improvement after which the run ends.", 10, unit="rounds", ge=1)
    min_change: float = key("By how much a round must be better than the best one before it.", 0.0, unit="none", ge=0)
    direction: _Direction = key("Whether more or less is better; auto knows the built-in metrics.", "auto")

    def on_round_end(self, history: list[dict[str, Any]]) -> str | None:
        """Why the run ends, once the best of the last `patience` rounds is no better than the best before them."""
        scores = [_sign(self.direction, self.metric) * value for value in _values(history, self.metric)]
        best, since = -math.inf, 0
        for score in scores:
            # NaN is no improvement: every comparison with it is false.
            best, since = (score, 0) if score > best + self.min_change else (best, since + 1)
        return f"{self.metric} did not improve for {since} evaluated rounds" if since >= self.patience else None


class StopAtTarget(CallbackPart, name="target"):
    """Ends the run when a metric has reached a value."""

    metric: str = key("A column of metrics.jsonl, such as test_accuracy.")
    value: float = key("The value to reach.", unit="none")
    direction: _Direction = key("Whether more or less is better; auto knows the built-in metrics.", "auto")

    def on_round_end(self, history: list[dict[str, Any]]) -> str | None:
        """Why the run ends, once the newest value is as good as the target."""
        sign, newest = _sign(self.direction, self.metric), _values(history, self.metric)[-1:]
        reached = any(sign * value >= sign * self.value for value in newest)
        return f"{self.metric} reached {self.value:g}" if reached else None
