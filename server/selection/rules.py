"""The rules of selection that need nothing but a draw, or a look at losses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common import seeds
from common.arrays import NamedArrays
from common.data.prepared import Indices
from server.selection.base import SelectionRule


def weighted(generator: np.random.Generator, weights: NDArray[np.float64] | Indices, count: int) -> Indices:
    """`count` places in the order in which they are drawn, each time in proportion to the weights that are left.

    By the keys log(u)/w, of which the largest are taken (Efraimidis and Spirakis 2006, algorithm A). Places
    without weight come last.
    """
    with np.errstate(divide="ignore"):
        keys = np.log1p(-generator.random(len(weights))) / weights
    return np.argsort(-keys, kind="stable")[:count]


def select(seed: int, round_number: int, clients: int, cohort: int) -> Indices:
    """The positions, ascending, of `cohort` of `clients` clients drawn uniformly without replacement."""
    chosen = seeds.generator(seed, "selection", round_number).choice(clients, cohort, replace=False, shuffle=False)
    return np.sort(chosen).astype(np.int64)


class Uniform(SelectionRule):
    """A cohort of clients drawn uniformly without replacement."""

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """A draw for the round."""
        context = self.context
        return select(context.seed, round_number, len(context.clients), self.size)


class BySize(SelectionRule):
    """Clients drawn one after the other, each in proportion to its training rows."""

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """A draw for the round."""
        draw = seeds.generator(self.context.seed, "selection", round_number)
        return np.sort(weighted(draw, self.context.sizes, self.size))


class RoundRobin(SelectionRule):
    """The next clients of an order drawn once; after the last comes the first."""

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """Those whose turn it is."""
        everyone = len(self.context.clients)
        order = seeds.generator(self.context.seed, "selection").permutation(everyone)
        turns = ((round_number - 1) * self.size + np.arange(self.size)) % everyone
        return np.sort(order[turns])


class Poisson(SelectionRule):
    """Poisson sampling: a cohort of any size, none at all among them."""

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """A draw for the round."""
        draw = seeds.generator(self.context.seed, "selection", round_number)
        return np.flatnonzero(draw.random(len(self.context.clients)) < self.options.rate)


class PowerOfChoice(SelectionRule):
    """π_pow-d (Cho, Wang, Joshi 2022, section 4): of d candidates drawn by size, those with the highest losses.

    Equal losses go in the order of the draw. Candidates that do not answer come last.
    """

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """Draw, ask, choose."""
        wanted = self.options.candidates or 2 * self.size
        number = min(max(wanted, self.size), len(self.context.clients))
        draw = seeds.generator(self.context.seed, "selection", round_number)
        candidates = weighted(draw, self.context.sizes, number)
        ascending = np.sort(candidates)
        losses = self.context.losses(weights, ascending).mean[np.searchsorted(ascending, candidates)]
        return np.sort(candidates[np.argsort(-np.nan_to_num(losses, nan=-np.inf), kind="stable")][: self.size])
