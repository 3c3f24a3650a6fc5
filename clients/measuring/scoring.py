"""Measuring models on clients' own examples: those of the message, and each client's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clients.measuring.fit import training_losses
from common.arrays import tensors
from common.data.examples import open_examples
from common.data.prepared import Indices, Prepared
from common.evaluation import Evaluator
from common.extend.client import client_algorithm
from common.messages import EvaluateOrder
from common.metrics import Sums
from common.models import Weights
from common.personal import own_arrays
from common.settings import read_settings


def scores(prepared: Prepared, order: EvaluateOrder) -> list[Sums]:
    """For each model of the message, sums over the examples that it names of each of its clients.

    Of a personal evaluation: for the global model, and then for each client's own.
    """
    scoring = _Scoring(prepared, order)
    # Block by block: how a matrix product rounds depends on the examples that are multiplied together, and which
    # blocks travel in one message must change no bit.
    found = [scoring.block(part) for part in order.blocks.slices()]
    return [_concatenate([models[index] for models in found]) for index in range(len(found[0]))]


class _Scoring:
    """Measures on the clients of one message."""

    def __init__(self, prepared: Prepared, order: EvaluateOrder) -> None:
        self._prepared, self._order = prepared, order
        settings = read_settings(order.settings)
        self._evaluator = Evaluator(settings, order.data_spec)
        self._examples = open_examples(prepared, order.data_spec, self._evaluator.dtype)
        self._models, self._kept = tensors(order.parameters), tensors(order.state)
        self._algorithm = client_algorithm(settings.strategy)

    def block(self, part: slice) -> list[Sums]:
        """Sums over each client's examples, for each model."""
        clients = self._order.blocks.clients[part]
        if not self._order.personal:
            return self._on_own(self._models, clients)
        the_global = {name: tensor[:1] for name, tensor in self._models.items()}
        own = [
            self._on_own(self._own_model(place), clients[index : index + 1])[0]
            for index, place in enumerate(range(part.start, part.stop))
        ]
        return [*self._on_own(the_global, clients), _concatenate(own)]

    def _own_model(self, place: int) -> Weights:
        """The model of the client at `place` of the message: (1, *shape)."""
        fresh = self._order.fresh is None or bool(self._order.fresh[place])
        kept = {} if fresh else {name: tensor[place : place + 1] for name, tensor in self._kept.items()}
        own = own_arrays(kept) | tensors(self._order.starts.among(np.array([place])).weights)

        def losses() -> NDArray[np.float64]:
            client = int(self._order.blocks.clients[place])
            return training_losses(self._evaluator, self._prepared, self._examples, self._models, client)

        return self._algorithm.own_model(self._models, own, losses)

    def _on_own(self, models: Weights, clients: Indices) -> list[Sums]:
        examples = {"holdout": self._prepared.holdout_examples, "training": self._prepared.training_examples}[
            self._order.split
        ]
        shards = [examples(int(client)) for client in clients]
        sizes = np.array([len(shard) for shard in shards], dtype=np.int64)
        return self._evaluator.sums(
            models, self._examples, np.concatenate(shards), sizes, self._examples.fills(clients), clients
        )


def _concatenate(parts: list[Sums]) -> Sums:
    """The sums of several groups of clients, one after the other."""
    return {name: np.concatenate([sums[name] for sums in parts]) for name in parts[0]}
