"""From a scenario to a plan that can be run; every mistake in it is told before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.data import Prepared, prepare
from common.errors import InputError
from common.resolve import resolve_scenario
from common.scenario import Scenario
from common.scenario.draft import Draft, copied, read_draft
from common.scenario.mistakes import Mistake
from common.scenario.objective import learned_task
from hothouse.sweeps.goal import Goal, goal_of
from hothouse.sweeps.plan import Plan
from server.trackers import check_trackers


def read_plan(source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Plan:
    """The sweep in a scenario. Raises InputError: a line for each mistake, with its place."""
    draft = read_draft(source, overrides)
    scenario = draft.scenario()
    if scenario.sweeps is None:
        raise InputError(
            f"{draft.document.name}: expected matrix:, seeds: or search:; `hothouse run` runs a single scenario"
        )
    plan = Plan(scenario, draft)
    if scenario.search is not None:
        _check_space(plan)
    return replace(plan, scenario=_with_paths(plan))


def prepare_runs(plan: Plan) -> Goal | None:
    """Prepare the data of every run that is known beforehand; returns what the runs are judged by.

    Raises InputError for what the data does not allow, and for trackers without their library.
    """
    first: Prepared | None = None
    done: set[str] = set()
    for draft in _drafts(plan):
        scenario = draft.scenario()
        needs = f"{scenario.seed} {scenario.data!r} {scenario.model!r}"
        if needs in done:
            continue
        done.add(needs)
        try:
            check_trackers(scenario)
            prepared = prepare(resolve_scenario(scenario))
        except InputError as error:
            raise draft.located(error) from None
        first = first or prepared
    assert first is not None
    try:
        return goal_of(plan.scenario, learned_task(plan.scenario.model, first.meta.task))
    except InputError as error:
        raise plan.draft.located(error) from None


def _drafts(plan: Plan) -> Iterator[Draft]:
    """The runs that are known beforehand; of a search the one with none of its values."""
    if plan.scenario.search:
        yield plan.changed({})
    else:
        yield from (plan.changed(point.values) for point in plan.points)


def _check_space(plan: Plan) -> None:
    """Try the ends of every range and every choice, the other keys as they stand in the scenario.

    A mistake across keys counts where no end of another range mends it.
    """
    assert plan.scenario.search is not None
    ends = {
        key: space.choices if space.choices is not None else (space.low, space.high)
        for key, space in plan.scenario.search.space.items()
    }
    told = []
    for key, values in ends.items():
        for value in values:
            for mistake in _mistakes_at(plan, key, {key: value}):
                pairs = ({key: value, other: end} for other in ends if other != key for end in ends[other])
                mended = mistake.across and any(mistake not in _mistakes_at(plan, key, pair) for pair in pairs)
                if not mended:
                    told.append(mistake.text)
    if told:
        raise InputError("\n".join(dict.fromkeys(told)))


def _mistakes_at(plan: Plan, key: str, values: Mapping[str, Any]) -> list[Mistake]:
    """What is wrong at or around a key with these values."""
    checked, place = plan.changed(values).check(), tuple(key.split("."))
    if isinstance(checked, Scenario):
        return []
    return [one for one in checked if one.place[: len(place)] == place or place[: len(one.place)] == one.place]


def _with_paths(plan: Plan) -> Scenario:
    """The plan's scenario, the paths among its values made absolute, so that it can be kept elsewhere."""
    scenario = plan.scenario
    if scenario.matrix:
        matrix = {
            key: tuple(_normalize(plan, key, value) for value in values) for key, values in scenario.matrix.items()
        }
        return scenario.model_copy(update={"matrix": matrix})
    if scenario.search:
        space = {
            key: one.model_copy(update={"choices": tuple(_normalize(plan, key, value) for value in one.choices)})
            if one.choices is not None
            else one
            for key, one in scenario.search.space.items()
        }
        return scenario.model_copy(update={"search": scenario.search.model_copy(update={"space": space})})
    return scenario


def _normalize(plan: Plan, key: str, value: Any) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return value
    found: Any = plan.changed({key: value}).check()
    if not isinstance(found, Scenario):
        return copied(value)
    found = found.model_dump(mode="json")
    for word in key.split("."):
        found = found[int(word) if isinstance(found, list) else word]
    return _as_found(value, found)


def _as_found(value: Any, found: Any) -> Any:
    """What was written, but for its texts, which are taken as they were found to be."""
    if isinstance(value, str) and isinstance(found, str):
        return str(found)
    if isinstance(value, Mapping) and isinstance(found, Mapping):
        return {name: _as_found(item, found.get(name)) for name, item in value.items()}
    if isinstance(value, list | tuple) and isinstance(found, list) and len(value) == len(found):
        return [_as_found(*pair) for pair in zip(value, found, strict=True)]
    return copied(value)
