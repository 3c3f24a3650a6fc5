"""Stopping a trial that does worse than the earlier ones did after as many rounds."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common.errors import RunError
from common.extend.events import Event, Notice, Observer
from common.run_files import Metrics

_LEAST = 5
"""Earlier trials that were measured after as many rounds, without which none is stopped."""

Curve = dict[int, float]
"""A metric by round."""


class Pruned(RunError):
    """The trial was stopped."""


@dataclass(frozen=True)
class PruningRule:
    """When a trial is stopped: by what it is known beforehand, not by what happens to be finished."""

    metric: str
    direction: str
    """maximize or minimize."""
    earlier: list[Curve]
    """The curves of the trials that it is compared with."""
    warmup: int
    """Rounds before which it is not stopped."""
    rounds: int
    """The trial's rounds; it is not stopped after the last."""


class Pruner(Observer):
    """Watches a trial's rounds and stops it by Optuna's median rule (Golovin et al. 2017, section 3.2.2)."""

    def __init__(self, rule: PruningRule, past: Callable[[], list[Metrics]]) -> None:
        """`past` gives the rounds that a resumed run has behind it."""
        optuna = quiet_optuna()
        self._rule, self._past = rule, past
        pruner = optuna.pruners.MedianPruner(n_startup_trials=_LEAST, n_warmup_steps=rule.warmup, n_min_trials=_LEAST)
        study = optuna.create_study(direction=rule.direction, pruner=pruner)
        for curve in rule.earlier:
            study.add_trial(optuna.trial.create_trial(value=curve[max(curve)], intermediate_values=dict(curve)))
        self._trial = study.ask()

    def on_event(self, event: Event) -> None:
        """A resumed run may have been killed after a round and before it was judged. Raises Pruned."""
        if isinstance(event, Notice) and event.name == "resumed":
            *before, latest = self._past()
            for metrics in before:
                self._note(metrics)
            self.on_round_end(latest)

    def on_round_end(self, metrics: Metrics) -> None:
        """Stop the run where it does too badly. Raises Pruned."""
        if self._note(metrics) and metrics["round"] < self._rule.rounds and self._trial.should_prune():
            value = metrics[self._rule.metric]
            raise Pruned(
                f"stopped after round {metrics['round']}: its best {self._rule.metric} so far is worse than the "
                f"median of the earlier trials; now it is {value:.4g}"
            )

    def _note(self, metrics: Metrics) -> bool:
        """Note the metric of a round; whether it was measured."""
        value = metrics.get(self._rule.metric)
        if value is None:
            return False
        self._trial.report(value, metrics["round"])
        return True


def quiet_optuna() -> Any:
    """Optuna, saying nothing but what is wrong."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna
