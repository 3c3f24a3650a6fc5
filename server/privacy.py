"""Client-level differential privacy around a strategy: it sees the clients' mean only after clipping and noise."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from flwr.app import ArrayRecord

from common import seeds
from common.arrays import Named, unpack
from common.data.prepared import Indices
from common.messages import PRIVACY
from common.scenario import expected_cohort
from common.scenario.privacy import Privacy
from server.accounting import Mechanism
from server.exchange.blocks import Block
from server.exchange.results import BlockResult, told, total
from server.record.observers import Metrics
from server.strategies.base import Instructions, Outcome, Strategy, Surroundings

_INNER = "strategy."


class Private(Strategy):
    """Gives a strategy one result: the sum of all clients' weights, each change clipped by its client, and noise.

    Noise comes before the strategy, so that whatever it does with the mean spends no more privacy.
    """

    steps_without_clients: ClassVar[bool] = True

    def __init__(self, options: Privacy, surroundings: Surroundings, strategy: Strategy) -> None:
        super().__init__(options, surroundings)
        self._privacy, self._strategy = options, strategy
        self._norm = options.clipping_norm
        self._mechanism = Mechanism.of(surroundings.scenario, len(surroundings.clients))
        self._released = np.zeros(len(surroundings.clients), dtype=np.int64)
        """From how many of its rounds each client's change is in what was released."""
        self._rounds = 0

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """What the strategy sends, and to what norm to clip."""
        federation = self.surroundings.scenario.federation
        whole = len(self.surroundings.clients)
        self._size = float(len(cohort)) if federation.selection.fixed else expected_cohort(federation, whole)
        self._start = unpack(parameters)
        instructions = self._strategy.instruct(round_number, parameters, buffers, cohort)
        local = self._privacy.noise == "local"
        instructions.records[PRIVACY] = {
            "clipping_norm": np.array(self._norm),
            "local_noise": np.array(self._multiplier * self._norm if local else 0.0),
        }
        return instructions

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """The strategy's outcome of the noisy mean, and what has been told of any client so far."""
        within = told(results, "unclipped")[0] if results else np.empty(0)
        outcome = self._strategy.aggregate(round_number, [self._noisy(round_number, results)])
        for result in results:
            taking_part = result.block.clients[result.metrics["examples"] > 0]
            self._released[np.searchsorted(self.surroundings.clients, taking_part)] += 1
        self._rounds += 1
        clipped = {"clipped": float(1 - within.mean())} if len(within) else {}
        outcome.metrics |= {"clipping_norm": self._norm, **clipped, **self._spent()}
        self._adapt(round_number, within)
        return outcome

    @property
    def _multiplier(self) -> float:
        """z, or what is left of it for the changes where counts are noisy too: (z⁻² − (2σ_b)⁻²)^(−½)."""
        z, adaptive = self._privacy.noise_multiplier, self._privacy.adaptive
        if not z or adaptive is None:
            return z
        deviation = adaptive.deviation(z, self._size)
        return float((z**-2 - (2 * deviation) ** -2) ** -0.5)

    def _noisy(self, round_number: int, results: list[BlockResult]) -> BlockResult:
        """All blocks as one of m clients: θ₀ + (Σ changes + noise)/m is its mean.

        The noise, where the server adds it, has a standard deviation of z·C in the sum. A client that did not answer
        counts as one that changed nothing: to divide by the number of answers would tell it.
        """
        sums = total(results) if results else {name: np.zeros_like(array) for name, array in self._start.items()}
        missing = self._size - sum(result.weight for result in results)
        if missing:
            sums = {name: array + array.dtype.type(missing) * self._start[name] for name, array in sums.items()}
        deviation = self._multiplier * self._norm if self._privacy.noise == "central" else 0.0
        if deviation:
            draw = seeds.generator(self.surroundings.seed, "privacy", round_number)
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
        return BlockResult(everyone, self._size, {"parameters": sums}, {}, metrics, {})

    def _spent(self) -> Metrics:
        # With local noise a client is covered by its own noise alone, and only where it takes part.
        releases = int(self._released.max()) if self._privacy.noise == "local" else self._rounds
        spent = {f"epsilon_{relation}": value for relation, value in self._mechanism.rounds(releases).items()}
        return {**spent, "delta": self._privacy.delta, "releases": releases} if spent else {}

    def _adapt(self, round_number: int, within: np.ndarray) -> None:
        """C ← C·exp(−η_C (b̃ − γ)), b̃ = (Σ (b − ½) + noise)/m + ½ being the noisy share of changes within the norm."""
        adaptive = self._privacy.adaptive
        if adaptive is None:
            return
        deviation = adaptive.deviation(self._privacy.noise_multiplier, self._size)
        noise = seeds.generator(self.surroundings.seed, "privacy count", round_number).normal(0.0, deviation)
        share = ((within - 0.5).sum() + noise) / self._size + 0.5
        self._norm *= float(np.exp(-adaptive.lr * (share - adaptive.quantile)))

    def reported(self, weights: Named) -> Named:
        """The strategy's global model."""
        return self._strategy.reported(weights)

    def candidates(self) -> Named:
        """What the strategy offers."""
        return self._strategy.candidates()

    def state(self) -> Named:
        """The clipping norm, what was released, and the strategy's own."""
        own = {"clipping_norm": np.array(self._norm), "rounds": np.array(self._rounds), "released": self._released}
        return own | {_INNER + name: array for name, array in self._strategy.state().items()}

    def restore(self, state: Named) -> None:
        """Take back what `state` gave."""
        self._norm, self._rounds = float(state["clipping_norm"]), int(state["rounds"])
        self._released = np.array(state["released"])
        inner = {name.removeprefix(_INNER): array for name, array in state.items() if name.startswith(_INNER)}
        self._strategy.restore(inner)
