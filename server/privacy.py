"""Client-level differential privacy around a strategy: it sees the clients' mean only after clipping and noise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from common import seeds
from common.arrays import NamedArrays
from common.data.prepared import Indices
from common.extend.results import Block, BlockResult, client_metrics, total
from common.extend.strategy import (
    Instructions,
    RoundOutcome,
    RoundStart,
    Strategy,
    StrategyContext,
    under_prefix,
    with_prefix,
)
from common.messages import PRIVACY
from common.run_files import Metrics
from common.scenario import expected_cohort
from common.scenario.privacy import Privacy
from server.accounting import PrivacyMechanism

_INNER = "strategy."


class PrivateStrategy(Strategy):
    """Gives a strategy one result: the sum of all clients' weights, each change clipped by its client, and noise.

    Noise comes before the strategy, so that whatever it does with the mean spends no more privacy.
    """

    steps_without_clients: ClassVar[bool] = True

    def __init__(self, options: Privacy, context: StrategyContext, strategy: Strategy) -> None:
        super().__init__(options, context)
        self._privacy, self._strategy = options, strategy
        self._mechanism = PrivacyMechanism.of(context.scenario, len(context.clients))
        self.state = {
            "clipping_norm": np.array(options.clipping_norm),
            "rounds": np.array(0),
            "released": np.zeros(len(context.clients), dtype=np.int64),
            **with_prefix(_INNER, strategy.state),
        }
        """The clipping norm, from how many of its rounds each client's change was released, and the strategy's own."""

    @contextmanager
    def _inner(self) -> Iterator[Strategy]:
        """The strategy with its part of the state, which is taken back afterwards."""
        self._strategy.state = under_prefix(_INNER, self.state)
        yield self._strategy
        own = {name: array for name, array in self.state.items() if not name.startswith(_INNER)}
        self.state = own | with_prefix(_INNER, self._strategy.state)

    def instruct(self, start: RoundStart) -> Instructions:
        """What the strategy sends, and to what norm to clip."""
        with self._inner() as strategy:
            instructions = strategy.instruct(start)
        norm = float(self.state["clipping_norm"])
        noise = self._multiplier(start) * norm if self._privacy.noise == "local" else 0.0
        clipping = {"clipping_norm": np.array(norm), "local_noise": np.array(noise)}
        return replace(instructions, records=instructions.records | {PRIVACY: clipping})

    def aggregate(self, start: RoundStart, results: list[BlockResult]) -> RoundOutcome:
        """The strategy's outcome of the noisy mean, and what has been told of any client so far."""
        within = client_metrics(results, "unclipped")[0] if results else np.empty(0)
        with self._inner() as strategy:
            outcome = strategy.aggregate(start, [self._noisy(start, results)])
        norm, released = float(self.state["clipping_norm"]), self.state["released"].copy()
        for result in results:
            released[np.searchsorted(self.context.clients, result.block.clients[result.took_part])] += 1
        rounds = int(self.state["rounds"]) + 1
        clipped = {"clipped": float(1 - within.mean())} if len(within) else {}
        spent = self._spent(rounds, released)
        self.state |= {
            "clipping_norm": np.array(self._adapted(norm, start, within)),
            "rounds": np.array(rounds),
            "released": released,
        }
        return replace(outcome, metrics={**outcome.metrics, "clipping_norm": norm, **clipped, **spent})

    def _size(self, start: RoundStart) -> float:
        """m, how many clients the mean is over: the cohort, or how many are expected where draws decide."""
        federation = self.context.scenario.federation
        if federation.selection.sampling_rate() is None:
            return float(len(start.cohort))
        return expected_cohort(federation, len(self.context.clients))

    def _multiplier(self, start: RoundStart) -> float:
        """z, or what is left of it for the changes where counts are noisy too: (z⁻² − (2σ_b)⁻²)^(−½)."""
        z, adaptive = self._privacy.noise_multiplier, self._privacy.adaptive
        if not z or adaptive is None:
            return z
        deviation = adaptive.deviation(z, self._size(start))
        return float((z**-2 - (2 * deviation) ** -2) ** -0.5)

    def _noisy(self, start: RoundStart, results: list[BlockResult]) -> BlockResult:
        """All blocks as one of m clients: θ₀ + (Σ changes + noise)/m is its mean.

        The noise, where the server adds it, has a standard deviation of z·C in the sum. A client that did not answer
        counts as one that changed nothing: to divide by the number of answers would tell it.
        """
        sums = total(results) if results else {name: np.zeros_like(array) for name, array in start.parameters.items()}
        size, norm = self._size(start), float(self.state["clipping_norm"])
        missing = size - sum(result.weight for result in results)
        if missing:
            sums = {name: array + array.dtype.type(missing) * start.parameters[name] for name, array in sums.items()}
        deviation = self._multiplier(start) * norm if self._privacy.noise == "central" else 0.0
        if deviation:
            draw = seeds.generator(self.context.seed, "privacy", start.number)
            sums = {n: a + (deviation * draw.standard_normal(a.shape)).astype(a.dtype) for n, a in sums.items()}
        blocks = [result.block for result in results]
        nobody = np.empty(0, np.int64)
        everyone = Block(
            index=0,
            clients=np.concatenate([nobody, *(block.clients for block in blocks)]),
            places=np.concatenate([nobody, *(block.places for block in blocks)]),
            cost=sum(block.cost for block in blocks),
            node=None,
        )
        metrics = {
            n: np.concatenate([np.empty(0), *(result.metrics[n] for result in results)])
            for n in (results[0].metrics if results else ("examples", "train_loss"))
        }
        return BlockResult(everyone, size, {"parameters": sums}, {}, metrics, {})

    def _spent(self, rounds: int, released: Indices) -> Metrics:
        # With local noise a client is covered by its own noise alone, and only where it takes part.
        releases = int(released.max()) if self._privacy.noise == "local" else rounds
        spent = {f"epsilon_{relation}": value for relation, value in self._mechanism.rounds(releases).items()}
        return {**spent, "delta": self._privacy.delta, "releases": releases} if spent else {}

    def _adapted(self, norm: float, start: RoundStart, within: NDArray[np.float64]) -> float:
        """C ← C·exp(−η_C (b̃ − γ)), b̃ = (Σ (b − ½) + noise)/m + ½ being the noisy share of changes within the norm."""
        adaptive = self._privacy.adaptive
        if adaptive is None:
            return norm
        size = self._size(start)
        deviation = adaptive.deviation(self._privacy.noise_multiplier, size)
        noise = seeds.generator(self.context.seed, "privacy count", start.number).normal(0.0, deviation)
        share = ((within - 0.5).sum() + noise) / size + 0.5
        return norm * float(np.exp(-adaptive.lr * (share - adaptive.quantile)))

    def reported(self, weights: NamedArrays) -> NamedArrays:
        """The strategy's global model."""
        with self._inner() as strategy:
            return strategy.reported(weights)

    def candidates(self) -> NamedArrays:
        """What the strategy offers."""
        with self._inner() as strategy:
            return strategy.candidates()
