"""How much privacy rounds have cost, by Google's dp-accounting, each ε with its neighbouring relation.

A bound here is an event in units of its relation's sensitivity: a Gaussian whose multiplier is the noise's standard
deviation over the most that the sum moves between neighbours. So both accountants are asked for adding or removing,
where they take the multiplier as it is. (For replacing, the PLD accountant doubles a plain Gaussian's sensitivity
itself, and the RDP accountant does not.) The one exception is sampling without replacement, which only the RDP
accountant knows, for replacing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from dp_accounting import (
    DpEvent,
    GaussianDpEvent,
    NeighboringRelation,
    PoissonSampledDpEvent,
    SampledWithoutReplacementDpEvent,
    SelfComposedDpEvent,
)
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant, compute_epsilon
from numpy.typing import NDArray

from common.scenario import Scenario, cohort_size

Relation = Literal["added_or_removed", "zeroed_out", "replaced"]

IN_WORDS: dict[str, str] = {
    "added_or_removed": "a client added or removed",
    "zeroed_out": "a client's change replaced by zero",
    "replaced": "a client replaced by another",
}
"""What neighbouring federations differ in."""

_TOO_MUCH = 200.0
"""An ε beyond which the PLD accountant's tables grow large, and nothing is private anyway."""


@dataclass(frozen=True)
class PrivacyStatement:
    """What a run, or a scenario, promises of any one client: (ε, δ)-differential privacy of the global weights."""

    relation: Relation
    epsilon: float
    delta: float
    accountant: Literal["PLD", "RDP"]

    def in_words(self) -> str:
        """The statement as a sentence's part."""
        return (
            f"ε = {self.epsilon:.4g} at δ = {self.delta:g} for {IN_WORDS[self.relation]} ({self.accountant} accountant)"
        )


@dataclass(frozen=True)
class PrivacyMechanism:
    """What a round of a scenario releases: a sum of clipped changes with noise of z·C."""

    noise_multiplier: float
    delta: float
    local: bool = False
    """Whether each client adds noise to its own change."""
    rate: float | None = None
    """q, where each client takes part with this probability; None for cohorts of a fixed size."""
    secret: tuple[int, int] | None = None
    """How many of how many clients take part, where they are drawn uniformly and in secret."""

    @classmethod
    def of(cls, scenario: Scenario, clients: int) -> PrivacyMechanism:
        """The mechanism of a scenario with privacy, for this many clients."""
        privacy, selection = scenario.federation.privacy, scenario.federation.selection
        assert privacy is not None
        local, secret = privacy.noise == "local", None
        if privacy.accounting == "without-replacement":
            secret = cohort_size(scenario.federation.clients_per_round, clients), clients
        rate = None if local else selection.sampling_rate()
        return cls(privacy.noise_multiplier, privacy.delta, local, rate, secret)

    def rounds(self, releases: int) -> dict[Relation, float]:
        """ε after this many releases for each relation, quickly: by Rényi differential privacy."""
        if not self.noise_multiplier or not releases:
            return {}
        return {
            relation: min(_rdp_epsilon(event, known, releases, self.delta) for event, known in bounds)
            for relation, bounds in self._bounds().items()
        }

    def statements(self, releases: int) -> list[PrivacyStatement]:
        """The tightest known ε after this many releases for each relation; takes about a second."""
        found = []
        for relation, quick in self.rounds(releases).items():
            best = PrivacyStatement(relation, quick, self.delta, "RDP")
            if quick <= _TOO_MUCH:
                event, _ = self._bounds()[relation][0]
                exact = _pld_epsilon(event, releases, self.delta)
                if exact <= quick:
                    best = PrivacyStatement(relation, exact, self.delta, "PLD")
            found.append(best)
        return found

    def _bounds(self) -> dict[Relation, list[tuple[DpEvent, NeighboringRelation]]]:
        """Events that bound a release, for each relation; the PLD accountant knows the first.

        A client that is added, removed or replaced by zero moves the sum by at most C, one that is replaced by another
        by at most 2C. With cohorts of a fixed size nobody can be added without taking another's place. Noise of a
        client's own hides one change against another, whoever takes part.
        """
        z, plain = self.noise_multiplier, NeighboringRelation.ADD_OR_REMOVE_ONE
        if self.rate is not None:
            return {"added_or_removed": [(PoissonSampledDpEvent(self.rate, GaussianDpEvent(z)), plain)]}
        replaced: list[tuple[DpEvent, NeighboringRelation]] = [(GaussianDpEvent(z / 2), plain)]
        if self.secret is not None:
            cohort, clients = self.secret
            sampled = SampledWithoutReplacementDpEvent(clients, cohort, GaussianDpEvent(z / 2))
            replaced.append((sampled, NeighboringRelation.REPLACE_ONE))
        if self.local:
            return {"replaced": replaced}
        return {"zeroed_out": [(GaussianDpEvent(z), plain)], "replaced": replaced}


def run_statements(scenario: Scenario, clients: int, releases: int) -> list[dict[str, Any]]:
    """What a run with privacy promises after this many releases, as summary.json holds it; nothing without privacy."""
    if scenario.federation.privacy is None:
        return []
    return [
        {**asdict(statement), "meaning": IN_WORDS[statement.relation]}
        for statement in PrivacyMechanism.of(scenario, clients).statements(releases)
    ]


@lru_cache(maxsize=16)
def _rdp(event: DpEvent, relation: NeighboringRelation) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The orders, and one release's Rényi divergence of each."""
    with _quietly():
        accountant = RdpAccountant(neighboring_relation=relation)
        accountant.compose(event)
    return np.asarray(accountant.orders), np.asarray(accountant.rdp)


def _rdp_epsilon(event: DpEvent, relation: NeighboringRelation, releases: int, delta: float) -> float:
    orders, divergences = _rdp(event, relation)
    return float(compute_epsilon(orders, releases * divergences, delta)[0])


def _pld_epsilon(event: DpEvent, releases: int, delta: float) -> float:
    with _quietly():
        accountant = PLDAccountant(neighboring_relation=NeighboringRelation.ADD_OR_REMOVE_ONE)
        accountant.compose(SelfComposedDpEvent(event, releases))
        return float(accountant.get_epsilon(delta))


@contextmanager
def _quietly() -> Iterator[None]:
    """Without a line for each order that has no bound; the others have.

    absl, which writes them, gives a root logger without handlers one that prints everybody's lines from then on.
    """
    logger, silent = logging.getLogger("absl"), logging.NullHandler()
    before = logger.level
    logger.setLevel(logging.ERROR)
    logging.root.addHandler(silent)
    try:
        yield
    finally:
        logging.root.removeHandler(silent)
        logger.setLevel(before)
