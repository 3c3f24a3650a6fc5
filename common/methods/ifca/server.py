"""IFCA (Ghosh et al. 2020, algorithm 1): several global models, each the mean of the clients that it fits best."""

from __future__ import annotations

import numpy as np

from common.arrays import NamedArrays, numbers
from common.extend.results import BlockResult, client_metrics
from common.extend.strategy import Instructions, RoundOutcome, RoundStart, Strategy, under_prefix, with_prefix
from common.messages import BUFFERS


class IFCA(Strategy):
    """θⱼ ← Σ sᵢⱼ θᵢ / Σ sᵢⱼ, where sᵢⱼ is 1 if client i goes with cluster j (option II, model averaging).

    Clients choose, and blocks bring a sum for each cluster. A cluster that nobody goes with stays as it is. The run's
    global model is that of the cluster most clients of the last round went with, of equals the first. The state is
    every cluster's model, parameters and buffers.
    """

    def instruct(self, start: RoundStart) -> Instructions:
        """Every cluster's model: the first as the round's weights, the others as further records."""
        if not self.state:
            drawn = [self.context.draw(number) for number in range(1, self.options.clusters)]
            self._remember([start.parameters | start.buffers, *drawn])
        first, *others = self._models()
        records = {f"cluster.{number}": model for number, model in enumerate(others, start=1)}
        if start.buffers:
            records[BUFFERS] = {name: first[name] for name in start.buffers}
        return Instructions({name: first[name] for name in start.parameters}, records)

    def aggregate(self, start: RoundStart, results: list[BlockResult]) -> RoundOutcome:
        """The mean of each cluster's clients."""
        (clusters,) = client_metrics(results, "cluster")
        sizes = np.bincount(clusters.astype(np.int64), minlength=self.options.clusters)
        models = self._models()
        for number, size in enumerate(sizes):
            if size:
                models[number] = _mean(number, int(size), results)
        self._remember(models)
        chosen = models[int(sizes.argmax())]
        buffers = {name: chosen[name] for name in results[0].sums.get(BUFFERS, {})}
        parameters = {name: array for name, array in chosen.items() if name not in buffers}
        metrics = {f"cluster_{number}_clients": int(size) for number, size in enumerate(sizes)}
        # A client sends the one model that it trained, and which one that is.
        return RoundOutcome(parameters, buffers, metrics | {"bytes_up": len(clusters) * (numbers(chosen) + 8)})

    def candidates(self) -> NamedArrays:
        """The clusters' models."""
        models = self._models() if self.state else []
        return {name: np.stack([model[name] for model in models]) for name in (models[0] if models else {})}

    def _models(self) -> list[NamedArrays]:
        return [under_prefix(f"{number}.", self.state) for number in range(self.options.clusters)]

    def _remember(self, models: list[NamedArrays]) -> None:
        parts = (with_prefix(f"{number}.", model) for number, model in enumerate(models))
        self.state = {name: array for part in parts for name, array in part.items()}


def _mean(number: int, size: int, results: list[BlockResult]) -> NamedArrays:
    model: NamedArrays = {}
    for kind in (f"cluster.{number}", f"cluster.{number}.{BUFFERS}"):
        for name, like in results[0].sums.get(kind, {}).items():
            total = np.sum([result.sums[kind][name] for result in results], axis=0)
            model[name] = total / like.dtype.type(size)
    return model
