"""Client-level differential privacy around a strategy: it sees the clients' mean only after clipping and noise."""

from __future__ import annotations

import numpy as np
from flwr.app import ArrayRecord

from common import seeds
from common.arrays import Named
from common.data.prepared import Indices
from common.messages import PRIVACY
from common.scenario.privacy import Privacy
from server.accounting import epsilon
from server.exchange.blocks import Block
from server.exchange.results import BlockResult, told, total
from server.record.observers import Metrics
from server.strategies.base import Instructions, Outcome, Strategy, Surroundings

_INNER = "strategy."


class Private(Strategy):
    """Gives a strategy one result: the sum of all clients' weights, each change clipped by its client, and noise.

    Noise comes before the strategy, so that whatever it does with the mean spends no more privacy.
    """

    def __init__(self, options: Privacy, surroundings: Surroundings, strategy: Strategy) -> None:
        super().__init__(options, surroundings)
        self._privacy, self._strategy = options, strategy
        self._norm = options.clipping_norm
        self._released = np.zeros(len(surroundings.clients), dtype=np.int64)
        """From how many of its rounds each client's change is in what was released."""
        self._rounds = 0

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """What the strategy sends, and to what norm to clip."""
        self._cohort = cohort
        instructions = self._strategy.instruct(round_number, parameters, buffers, cohort)
        local = self._privacy.noise == "local"
        instructions.records[PRIVACY] = {
            "clipping_norm": np.array(self._norm),
            "local_noise": np.array(self._multiplier * self._norm if local else 0.0),
        }
        return instructions

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """The strategy's outcome of the noisy sum, and what has been told of any client so far."""
        (within,) = told(results, "unclipped")
        outcome = self._strategy.aggregate(round_number, [self._noisy(round_number, results)])
        taking_part = np.concatenate([result.block.clients[result.metrics["examples"] > 0] for result in results])
        self._released[np.searchsorted(self.surroundings.clients, taking_part)] += 1
        self._rounds += 1
        outcome.metrics |= {"clipping_norm": self._norm, "clipped": float(1 - within.mean()), **self._spent()}
        self._adapt(round_number, within)
        return outcome

    @property
    def _multiplier(self) -> float:
        """z, or what is left of it for the changes where counts are noisy too: (z⁻² − (2σ_b)⁻²)^(−½)."""
        z, adaptive = self._privacy.noise_multiplier, self._privacy.adaptive
        if not z or adaptive is None:
            return z
        deviation = adaptive.deviation(z, len(self._cohort))
        return float((z**-2 - (2 * deviation) ** -2) ** -0.5)

    def _noisy(self, round_number: int, results: list[BlockResult]) -> BlockResult:
        """All blocks as one, with noise of standard deviation z·C in the sum where the server adds it."""
        sums = total(results)
        deviation = self._multiplier * self._norm if self._privacy.noise == "central" else 0.0
        if deviation:
            draw = seeds.generator(self.surroundings.seed, "privacy", round_number)
            sums = {n: a + (deviation * draw.standard_normal(a.shape)).astype(a.dtype) for n, a in sums.items()}
        blocks = [result.block for result in results]
        everyone = Block(
            index=0,
            clients=np.concatenate([block.clients for block in blocks]),
            places=np.concatenate([block.places for block in blocks]),
            cost=sum(block.cost for block in blocks),
            node=None,
        )
        metrics = {n: np.concatenate([result.metrics[n] for result in results]) for n in results[0].metrics}
        return BlockResult(everyone, sum(result.weight for result in results), {"parameters": sums}, {}, metrics, {})

    def _spent(self) -> Metrics:
        privacy, clients = self._privacy, len(self.surroundings.clients)
        if not privacy.noise_multiplier:
            return {}
        # With local noise a client is covered by its own noise alone, and only where it takes part.
        releases = int(self._released.max()) if privacy.noise == "local" else self._rounds
        return {"epsilon": epsilon(privacy, len(self._cohort), clients, releases), "delta": privacy.delta}

    def _adapt(self, round_number: int, within: np.ndarray) -> None:
        """C ← C·exp(−η_C (b̃ − γ)), b̃ being the noisy share of changes within the norm."""
        adaptive = self._privacy.adaptive
        if adaptive is None:
            return
        deviation = adaptive.deviation(self._privacy.noise_multiplier, len(self._cohort))
        noise = seeds.generator(self.surroundings.seed, "privacy count", round_number).normal(0.0, deviation)
        share = (within.sum() + noise) / len(within)
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
