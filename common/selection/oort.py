"""Guided selection (Lai et al. 2021, *Oort*, algorithm 1): the statistical part, and time as the scenario tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from common import seeds
from common.extend.selection import SelectionRule
from common.scenario.base import key
from common.scenario.selection import SelectionPart
from common.selection.rules import weighted

if TYPE_CHECKING:
    # Options are read without PyTorch and Flower.
    from common.arrays import NamedArrays
    from common.data.prepared import Indices
    from common.extend.strategy import StrategyContext

_NOW = "now"
"""What the cohort's utility is found to be before it trains."""


class Oort(SelectionPart, name="oort", runs=":OortRule"):
    """Clients with high losses on many examples, and some that never took part (Lai et al. 2021, algorithm 1).

    A client's utility is |B|·√(Σ loss²/|B|) over its training examples, with the weights it was last sent. Its time is
    the number of examples it trains on in a round, which the scenario tells; there is no pacer, `preferred_rows` stays.
    """

    needs_client_losses: ClassVar[bool] = True

    exploration: float = key("ε: the share of a cohort that was never seen, first.", 0.9, unit="fraction", ge=0, le=1)
    exploration_decay: float = key("ε is multiplied by this each round.", 0.98, unit="none", gt=0, le=1)
    exploration_least: float = key("ε does not fall below this.", 0.2, unit="fraction", ge=0, le=1)
    cutoff: float = key(
        "c: clients with at least this share of the utility of the last that fits in may be chosen.",
        0.95,
        unit="fraction",
        gt=0,
        le=1,
    )
    clip: float = key("Utilities count at most as this quantile of all known.", 0.95, unit="fraction", gt=0, le=1)
    most_rounds: int | None = key(
        "Clients that took part in more rounds are chosen last, against outliers; no limit if left out.",
        None,
        unit="rounds",
        ge=1,
    )
    preferred_rows: float | None = key(
        "T: clients that train on more examples a round are worth less; time does not count if left out.",
        None,
        unit="examples",
        gt=0,
    )
    penalty: float = key("α: by (T/examples)^α.", 2.0, unit="none", ge=0)


class OortRule(SelectionRule):
    """Exploits clients of high utility and explores those that were never seen.

    Of each client the state has `utility` U, its statistical utility when it last took part, `last` L, the round in
    which that was, 0 for those that never did, and `times`, in how many rounds it took part.
    """

    def __init__(self, options: Any, context: StrategyContext, size: int) -> None:
        super().__init__(options, context, size)
        never = np.zeros(len(context.clients), dtype=np.int64)
        self.state = {"utility": np.zeros(len(never)), "last": never, "times": never}
        self.examples = self._examples()
        """D: on how many examples each trains in a round."""

    def cohort(self, round_number: int, weights: NamedArrays) -> Indices:
        """Choose by utility, fill up with clients never seen, and ask the cohort what it loses now."""
        draw = seeds.generator(self.context.seed, "selection", round_number)
        seen, unseen = np.flatnonzero(self.state["last"]), np.flatnonzero(self.state["last"] == 0)
        exploring = min(round(self._exploration(round_number) * self.size), len(unseen))
        exploring = max(exploring, self.size - len(seen))
        known = self._exploit(round_number, seen, self.size - exploring, draw)
        chosen = np.sort(np.concatenate([known, self._explore(unseen, exploring, draw)]))
        now = np.full(len(self.context.clients), np.nan)
        now[chosen] = self.context.sizes[chosen] * self.context.losses(weights, chosen).root_mean_square
        self.state |= {_NOW: now}
        return chosen

    def learn(self, round_number: int, positions: Indices) -> None:
        """Those that took part have a new utility; of one that is not known the old one stays."""
        now = self.state[_NOW][positions]
        utility, last, times = (self.state[name].copy() for name in ("utility", "last", "times"))
        utility[positions] = np.where(np.isfinite(now), now, utility[positions])
        last[positions] = round_number
        times[positions] += 1
        self.state = {"utility": utility, "last": last, "times": times}

    def _exploration(self, round_number: int) -> float:
        first, decay = self.options.exploration, self.options.exploration_decay
        return float(max(self.options.exploration_least, first * decay ** (round_number - 1)))

    def utilities(self, round_number: int, clients: Indices) -> NDArray[np.float64]:
        """Util: clipped utility, with the uncertainty of what was seen long ago, less for those that take long."""
        preferred, utility = self.options.preferred_rows, self.state["utility"][clients]
        utilities: NDArray[np.float64] = np.minimum(utility, np.quantile(utility, self.options.clip))
        utilities += np.sqrt(0.1 * np.log(round_number) / self.state["last"][clients])
        if preferred is not None:
            slow = self.examples[clients] > preferred
            utilities[slow] *= (preferred / self.examples[clients][slow]) ** self.options.penalty
        return utilities

    def _exploit(self, round_number: int, seen: Indices, count: int, draw: np.random.Generator) -> Indices:
        if not count:
            return seen[:0]
        if self.options.most_rounds is not None:
            tired = self.state["times"][seen] > self.options.most_rounds
            fresh = seen[~tired]
            # Those that took part too often only fill up.
            seen = fresh if len(fresh) >= count else np.concatenate([fresh, seen[tired][: count - len(fresh)]])
        utilities = self.utilities(round_number, seen)
        last_that_fits = np.sort(utilities)[-count]
        admitted = utilities >= self.options.cutoff * last_that_fits
        exploited: Indices = seen[admitted][weighted(draw, utilities[admitted], count)]
        return exploited

    def _explore(self, unseen: Indices, count: int, draw: np.random.Generator) -> Indices:
        slowness = np.ones(len(unseen)) if self.options.preferred_rows is None else np.maximum(self.examples[unseen], 1)
        return unseen[weighted(draw, 1 / slowness, count)]

    def _examples(self) -> NDArray[np.float64]:
        training, sizes = self.context.scenario.training, self.context.sizes.astype(np.float64)
        if training.steps is None:
            return sizes * (training.epochs or 1)
        batch = sizes if training.batch_size == "full" else np.minimum(sizes, training.batch_size)
        return training.steps * batch
