"""A search with Optuna whose trials do not depend on how many run at once, nor on when it was killed.

A trial's values are a function of the search's seed, the trial's number, and the results of all trials but the
last few (`search.parallel`) before it. So trials that run at the same time need not wait for each other, and
still the same search asks for the same values every time. Optuna's store holds the trials that are over, in
order; those under way are asked for again when a search goes on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from common import seeds
from common.run_files import Metrics
from common.scenario.sweep import Space
from hothouse.sweeps.execute import RunOutcome
from hothouse.sweeps.goal import Goal
from hothouse.sweeps.names import distinct_values
from hothouse.sweeps.plan import Plan, Point
from hothouse.sweeps.pruning import PruningRule, quiet_optuna

STORE = "study.db"


class Trial(NamedTuple):
    """A trial that is due."""

    point: Point
    rule: PruningRule | None
    """When to stop it early."""


class Search:
    """The trials of a search, one after the other."""

    def __init__(self, plan: Plan, goal: Goal, folder: Path) -> None:
        """Go on with the study in `folder`, or begin one there."""
        assert plan.scenario.search is not None
        self._optuna = quiet_optuna()
        self._plan, self._goal, self._spec = plan, goal, plan.scenario.search
        self._distributions, self._choices = _distributions(self._optuna, plan)
        self._study = self._optuna.create_study(
            storage=f"sqlite:///{folder.absolute() / STORE}",
            study_name=plan.scenario.name,
            direction=goal.direction,
            load_if_exists=True,
        )
        self._over: list[Any] = self._study.get_trials()
        self._asked: list[dict[str, Any]] = [trial.params for trial in self._over]
        self._early: dict[int, Any] = {}
        self._numbers: dict[str, int] = {}

    def next(self) -> Trial | None:
        """The next trial; None where there is none left, or none before another one has ended."""
        number = len(self._asked)
        seen = max(0, number - self._spec.parallel + 1)
        if number >= self._spec.trials or len(self._over) < seen:
            return None
        parameters = self._ask(number, seen)
        self._asked.append(parameters)
        values = {
            key: self._choices[key][value] if key in self._choices else value for key, value in parameters.items()
        }
        point = self._plan.trial(number, values)
        self._numbers[point.name] = number
        return Trial(point, self._rule(point, seen))

    def ended(self, name: str, outcome: RunOutcome, history: list[Metrics]) -> None:
        """Note how the trial of this name ended; `history` are its rounds."""
        number = self._numbers[name]
        curve = {entry["round"]: value for entry in history if (value := self._goal.value(entry)) is not None}
        states = self._optuna.trial.TrialState
        state = {"complete": states.COMPLETE, "pruned": states.PRUNED}.get(outcome.status, states.FAIL)
        value = curve.get(history[-1]["round"]) if history else None
        if state == states.COMPLETE and value is None:
            state = states.FAIL
        attributes = {"run": name, **({"reason": outcome.reason} if outcome.reason else {})}
        self._early[number] = self._trial(
            number,
            state,
            value=None if state == states.FAIL else value,
            intermediate_values=curve,
            user_attrs=attributes,
        )
        while len(self._over) in self._early:
            trial = self._early.pop(len(self._over))
            self._study.add_trial(trial)
            self._over.append(trial)

    def _ask(self, number: int, seen: int) -> dict[str, Any]:
        """The values of a trial, given the results of the first `seen` trials and the values of those after them."""
        sampler = self._optuna.samplers.TPESampler(
            n_startup_trials=self._spec.startup, seed=seeds.key(self._plan.scenario.seed, "search", number) % 2**32
        )
        view = self._optuna.create_study(direction=self._goal.direction, sampler=sampler)
        running = self._optuna.trial.TrialState.RUNNING
        view.add_trials([*self._over[:seen], *(self._trial(one, running) for one in range(seen, number))])
        return dict(view.ask(self._distributions).params)

    def _trial(self, number: int, state: Any, **results: Any) -> Any:
        return self._optuna.trial.create_trial(
            state=state, params=self._asked[number], distributions=self._distributions, **results
        )

    def _rule(self, point: Point, seen: int) -> PruningRule | None:
        if not self._spec.prune or point.scenario is None:
            return None
        complete = self._optuna.trial.TrialState.COMPLETE
        earlier = [dict(trial.intermediate_values) for trial in self._over[:seen] if trial.state == complete]
        rounds = point.scenario.federation.rounds
        return PruningRule(self._goal.metric, self._goal.direction, earlier, self._spec.warmup, rounds)


def _distributions(optuna: Any, plan: Plan) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Optuna's form of the search's space, and for each key with choices these by name."""
    assert plan.scenario.search is not None
    kinds = optuna.distributions
    found, choices = {}, {}
    for key, space in plan.scenario.search.space.items():
        if space.choices is not None:
            choices[key] = distinct_values(space.choices)
            found[key] = kinds.CategoricalDistribution(tuple(choices[key]))
        elif _is_whole(plan, key, space):
            found[key] = kinds.IntDistribution(space.low, space.high, log=space.log, step=space.step or 1)
        else:
            found[key] = kinds.FloatDistribution(space.low, space.high, log=space.log, step=space.step)
    return found, choices


def _is_whole(plan: Plan, key: str, space: Space) -> bool:
    """Whether a range is one of whole numbers: it is given in these, and the key takes no others."""
    if not all(isinstance(end, int) for end in (space.low, space.high, space.step or 1)):
        return False
    assert space.low is not None
    found = plan.changed({key: space.low + 0.5}).check()
    return isinstance(found, list) and any(not mistake.across for mistake in found)
