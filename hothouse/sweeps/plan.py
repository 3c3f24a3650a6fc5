"""What a sweep is to run: every combination of its values, or whatever values a search asks for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from common.errors import InputError
from common.scenario import Scenario
from common.scenario.draft import Draft, DraftChange, copied
from common.scenario.mistakes import Mistake
from hothouse.sweeps.names import distinct_values, folder_name, short_keys, value_name

_MOST = 10_000
"""Runs of a matrix, at most."""
_OWN = ("matrix", "seeds", "search")
"""The keys of a sweep, which its runs do not have."""


@dataclass(frozen=True)
class Point:
    """One run of a sweep."""

    name: str
    """Its folder's name."""
    values: dict[str, Any]
    """What is particular to it, by key."""
    scenario: Scenario | None
    """None where its values do not go together."""
    refusal: str = ""
    """Why they do not."""


@dataclass(frozen=True)
class Plan:
    """A sweep before it is run."""

    scenario: Scenario
    """What was written, with `matrix`, `seeds` or `search`."""
    draft: Draft

    @cached_property
    def seeds(self) -> list[int] | None:
        """The seeds of every combination; None where the scenario's own is the only one."""
        seeds, first = self.scenario.seeds, self.scenario.seed
        if seeds is None:
            return None
        return list(range(first, first + seeds)) if isinstance(seeds, int) else list(seeds)

    @cached_property
    def keys(self) -> list[str]:
        """The keys whose values differ between runs, the seed last."""
        swept = self.scenario.search.space if self.scenario.search else self.scenario.matrix or {}
        return [*swept, *(["seed"] if self.seeds else [])]

    @property
    def count(self) -> int:
        """How many runs there are."""
        return self.scenario.search.trials if self.scenario.search else len(self.points)

    @property
    def rounds(self) -> int:
        """Rounds of all runs together; those of a search are taken to be as long as the scenario says."""
        if self.scenario.search:
            return self.count * self.scenario.federation.rounds
        return sum(point.scenario.federation.rounds for point in self.points if point.scenario)

    @cached_property
    def columns(self) -> dict[str, str]:
        """Short names of the keys."""
        return short_keys(self.keys)

    @cached_property
    def points(self) -> list[Point]:
        """Every combination of a matrix and seeds, the seeds of one after the other.

        Raises InputError with a line for each mistake.
        """
        named = {key: distinct_values(values) for key, values in (self.scenario.matrix or {}).items()}
        if self.seeds:
            named["seed"] = {str(seed): seed for seed in self.seeds}
        count = math.prod(len(values) for values in named.values())
        if count > _MOST:
            swept = self.scenario.sweeps or ""
            raise self.draft.located(InputError(f"{count:,} runs; a sweep has at most {_MOST:,}", swept))
        found: dict[Scenario, Point] = {}
        mistakes: dict[Mistake, list[Mapping[str, Any]]] = {}
        for combination in itertools.product(*(values.items() for values in named.values())):
            values = {key: value for key, (_, value) in zip(named, combination, strict=True)}
            checked = self.changed(values).check()
            if isinstance(checked, Scenario):
                names = {self.columns[key]: name for key, (name, _) in zip(named, combination, strict=True)}
                name = folder_name(names)
                if (same := found.setdefault(checked, Point(name, values, checked))).name != name:
                    raise self.draft.located(InputError(f"{same.name} and {name} are the same run", "matrix"))
            else:
                for mistake in checked:
                    mistakes.setdefault(mistake, []).append(values)
        if mistakes:
            told = [self._message(mistake, where, count, named) for mistake, where in mistakes.items()]
            raise InputError("\n".join(told))
        return list(found.values())

    def trial(self, number: int, values: Mapping[str, Any]) -> Point:
        """The run of a search with these values."""
        names = {self.columns[key]: _rounded(value) for key, value in values.items()}
        name = f"{number:03d},{folder_name(names)}"
        try:
            return Point(name, dict(values), self.changed(values).scenario())
        except InputError as error:
            return Point(name, dict(values), None, str(error))

    def changed(self, values: Mapping[str, Any]) -> Draft:
        """The draft of the run with these values."""
        changes = {key: DraftChange(copied(value), self._origin(key, value)) for key, value in values.items()}
        return self.draft.changed(changes, without=_OWN)

    def _origin(self, key: str, value: Any) -> str:
        """Where a value was given: the file, the line and the part."""
        scenario, lines = self.scenario, self.draft.document.lines
        if key == "seed":
            place: tuple[str | int, ...] = ("seeds",)
        elif scenario.search:
            space = scenario.search.space[key]
            place = ("search", "space", key)
            if space.choices is not None and value in space.choices:
                place = (*place, "choices", space.choices.index(value))
            elif value in (space.low, space.high):
                place = (*place, "low" if value == space.low else "high")
        else:
            assert scenario.matrix is not None
            place = ("matrix", key, scenario.matrix[key].index(value))
        while place and place not in lines:
            place = place[:-1]
        part = "search" if scenario.search else "seeds" if key == "seed" else "matrix"
        option = next((text for at, text in self.draft.options.items() if at[0] == part), None)
        where = option or (f"{self.draft.document.name}:{lines[place]}" if place else self.draft.document.name)
        return f"{where}: {part}"

    def _message(
        self, mistake: Mistake, where: list[Mapping[str, Any]], count: int, named: Mapping[str, Mapping[str, Any]]
    ) -> str:
        """A mistake's message, with the run it is in where no single value is to blame."""
        first = where[0]
        alone = any(sum(values[key] == first[key] for values in where) * len(named[key]) == count for key in named)
        if alone or len(where) == count:
            return mistake.text
        return f"{mistake.text}, in the run with " + ", ".join(f"{key}={value_name(first[key])}" for key in named)


def _rounded(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else value_name(value)
