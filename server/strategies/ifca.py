"""IFCA (Ghosh et al. 2020, algorithm 1): several global models, each the mean of the clients that it fits best."""

from __future__ import annotations

from typing import Any

import numpy as np
from flwr.app import ArrayRecord

from common.arrays import Named, numbers, pack, unpack
from common.data.prepared import Indices
from common.messages import BUFFERS
from server.exchange.results import BlockResult
from server.strategies.base import Instructions, Outcome, Strategy, Surroundings


class IFCA(Strategy):
    """θⱼ ← Σ sᵢⱼ θᵢ / Σ sᵢⱼ, where sᵢⱼ is 1 if client i goes with cluster j (option II, model averaging).

    Clients choose (their half, `clients.algorithms.ifca`), and blocks bring a sum for each cluster. A cluster
    that nobody goes with stays as it is. The run's global model is that of the cluster most clients of the last
    round went with, of equals the first; the others are in its checkpoints.
    """

    def __init__(self, options: Any, surroundings: Surroundings) -> None:
        super().__init__(options, surroundings)
        self._models: list[Named] = []
        """Each cluster's parameters and buffers; none before round 1."""

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """Every cluster's model: the first as the round's weights, the others as further records."""
        if not self._models:
            drawn = [self.surroundings.draw(number) for number in range(1, self.options.clusters)]
            self._models = [unpack(parameters) | buffers, *drawn]
        first, *others = self._models
        records = {f"cluster.{number}": model for number, model in enumerate(others, start=1)}
        if buffers:
            records[BUFFERS] = {name: first[name] for name in buffers}
        return Instructions(pack({name: first[name] for name in parameters}), records)

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """The mean of each cluster's clients."""
        clusters = np.concatenate([result.metrics["cluster"][result.metrics["examples"] > 0] for result in results])
        sizes = np.bincount(clusters.astype(np.int64), minlength=self.options.clusters)
        for number, size in enumerate(sizes):
            if size:
                self._models[number] = self._mean(number, int(size), results)
        chosen = self._models[int(sizes.argmax())]
        buffers = {name: chosen[name] for name in results[0].sums.get(BUFFERS, {})}
        parameters = {name: array for name, array in chosen.items() if name not in buffers}
        metrics = {f"cluster_{number}_clients": int(size) for number, size in enumerate(sizes)}
        # A client sends the one model that it trained, and which one that is.
        return Outcome(parameters, buffers, metrics | {"bytes_up": len(clusters) * (numbers(chosen) + 8)})

    def candidates(self) -> Named:
        """The clusters' models."""
        names = self._models[0] if self._models else {}
        return {name: np.stack([model[name] for model in self._models]) for name in names}

    def state(self) -> Named:
        """The clusters' models."""
        return {f"{number}.{name}": a for number, model in enumerate(self._models) for name, a in model.items()}

    def restore(self, state: Named) -> None:
        """Take back what `state` gave."""
        models: dict[int, Named] = {}
        for key, array in state.items():
            number, _, name = key.partition(".")
            models.setdefault(int(number), {})[name] = array
        self._models = [models[number] for number in sorted(models)]

    @staticmethod
    def _mean(number: int, size: int, results: list[BlockResult]) -> Named:
        model: Named = {}
        for kind in (f"cluster.{number}", f"cluster.{number}.{BUFFERS}"):
            for name, like in results[0].sums.get(kind, {}).items():
                total = np.sum([result.sums[kind][name] for result in results], axis=0)
                model[name] = total / like.dtype.type(size)
        return model
