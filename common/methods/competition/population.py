"""Population-based training (Jaderberg et al. 2017, algorithm 1): weights and settings compete together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from common import seeds
from common.arrays import NamedArrays
from common.data.prepared import Indices
from common.extend.strategy import Strategy, under_prefix, with_prefix
from common.methods.competition.contest import Contest
from common.methods.competition.lineages import Lineages

Numbers = NDArray[np.float64]

_SETTING = "setting."
_SHARES = ("optimizer.momentum", "optimizer.beta1", "optimizer.beta2", "optimizer.decay")
"""Settings that are shares: they are changed in 1 − share, and so stay between 0 and 1."""


class Population(Lineages):
    """Each network has settings of its own; the worst take those of one of the best, and change them.

    They are in the strategy's state, as `setting.KEY`, (clients,).
    """

    def __init__(self, strategy: Strategy) -> None:
        super().__init__(strategy)
        draw = seeds.generator(self.context.seed, "population")
        settings = {}
        for key in self.options.settings:
            powers = draw.uniform(-1, 1, len(self.context.clients))
            settings[key] = self._changed(key, np.full(len(powers), self._base(key)), self.options.spread**powers)
        strategy.state |= with_prefix(_SETTING, settings)

    def values(self, cohort: Indices) -> NamedArrays:
        """The settings of the clients at the positions `cohort`."""
        return {key: array[cohort] for key, array in self._settings.items()}

    def givers(self, contest: Contest) -> Indices:
        """Each of the worst continues with one of the best, drawn at random; at least one where there are two."""
        networks = len(contest.scores)
        count = min(max(1, round(self.options.replaced * networks)), networks // 2)
        givers = np.arange(networks)
        draw = seeds.generator(self.context.seed, "population", contest.round)
        losers, winners = contest.ranking[networks - count :], contest.ranking[:count]
        if not count:
            return givers
        givers[losers] = draw.choice(winners, count)
        losing, giving = contest.positions[losers], contest.positions[givers[losers]]
        settings = {key: array.copy() for key, array in self._settings.items()}
        for key, array in settings.items():
            changes = self.options.factor ** draw.choice([-1.0, 1.0], count)
            array[losing] = self._changed(key, array[giving], changes)
        self.strategy.state |= with_prefix(_SETTING, settings)
        return givers

    @property
    def _settings(self) -> NamedArrays:
        return under_prefix(_SETTING, self.strategy.state)

    def _base(self, key: str) -> float:
        """The scenario's own value of a setting."""
        value: Any = self.context.scenario.training
        for part in key.split("."):
            value = getattr(value, part)
        return float(value)

    def _changed(self, key: str, values: Numbers, factors: Numbers) -> Numbers:
        changed = 1 - np.clip((1 - values) * factors, 1e-6, 1) if key in _SHARES else np.multiply(values, factors)
        least, most = self.options.ranges.get(key, (0.0, np.inf))
        return np.asarray(np.clip(changed, least, most))
