"""The rules of selection that need nothing but a draw, or a look at losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from common import seeds
from common.extend.selection import SelectionRule
from common.scenario.base import key, refuse
from common.scenario.selection import SelectionPart

if TYPE_CHECKING:
    # Options are read without PyTorch and Flower.
    from common.arrays import NamedArrays
    from common.data.prepared import Indices


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


class Uniform(SelectionPart, name="uniform", runs=":UniformRule"):
    """Every client is as likely as any other."""

    uniform: ClassVar[bool] = True


class UniformRule(SelectionRule):
    """A cohort of clients drawn uniformly without replacement."""

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """A draw for the round."""
        context = self.context
        return select(context.seed, round_number, len(context.clients), self.size)


class BySize(SelectionPart, name="by_size", runs=":BySizeRule"):
    """Clients are drawn one after the other, each with a probability in proportion to its training examples."""


class BySizeRule(SelectionRule):
    """Clients drawn one after the other, each in proportion to its training examples."""

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """A draw for the round."""
        draw = seeds.generator(self.context.seed, "selection", round_number)
        return np.sort(weighted(draw, self.context.sizes, self.size))


class RoundRobin(SelectionPart, name="round_robin", runs=":RoundRobinRule"):
    """Clients take turns, in an order drawn once."""


class RoundRobinRule(SelectionRule):
    """The next clients of an order drawn once; after the last comes the first."""

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """Those whose turn it is."""
        everyone = len(self.context.clients)
        order = seeds.generator(self.context.seed, "selection").permutation(everyone)
        turns = ((round_number - 1) * self.size + np.arange(self.size)) % everyone
        return np.sort(order[turns])


class Poisson(SelectionPart, name="poisson", runs=":PoissonRule"):
    """Each client takes part with the same probability, whatever the others do (Poisson sampling).

    `clients_per_round` and `min_clients` decide nothing. A round in which nobody takes part leaves the weights as they
    are; with `federation.privacy` it adds noise like any other.
    """

    rate: float = key("q: how likely each client takes part in a round.", unit="probability", gt=0, le=1)

    def sampling_rate(self) -> float:
        """q."""
        return self.rate


class PoissonRule(SelectionRule):
    """Poisson sampling: a cohort of any size, none at all among them."""

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """A draw for the round."""
        draw = seeds.generator(self.context.seed, "selection", round_number)
        return np.flatnonzero(draw.random(len(self.context.clients)) < self.options.rate)


class PowerOfChoice(SelectionPart, name="power_of_choice", runs=":PowerOfChoiceRule"):
    """Selects the clients with the highest loss from a random candidate set (Cho et al. 2022, π_pow-d).

    Candidates are drawn one after the other, each with a probability in proportion to its training examples.
    """

    needs_client_losses: ClassVar[bool] = True

    candidates: int | None = key(
        "d: how many clients are asked for their loss; twice the cohort if left out.", None, unit="clients", ge=1
    )

    def check_cohort(self, size: int) -> None:
        """Among fewer candidates than a cohort needs there is no choice."""
        if self.candidates is not None and self.candidates < size:
            raise refuse("federation.selection.candidates", f"at least the {size} clients of a round's cohort")


class PowerOfChoiceRule(SelectionRule):
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
