"""Measuring the global model: on the server's own rows, and on the clients' held-out rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common import messages
from common.arrays import Named, tensors
from common.data import Prepared
from common.data.agreement import Agreement
from common.data.gather import Rows
from common.evaluation import evaluate
from common.losses import loss_for
from common.metrics import Sums, finish, total
from common.models import DTYPES, Layout, blank
from common.scenario import Scenario
from server.exchange import Exchange
from server.federation import Federation
from server.observers import Metrics


class Evaluation:
    """Everything that is measured after a round."""

    def __init__(
        self,
        scenario: Scenario,
        prepared: Prepared,
        agreement: Agreement,
        federation: Federation,
        exchange: Exchange,
        settings: str,
    ) -> None:
        self._scenario, self._agreement, self._exchange, self._settings = scenario, agreement, exchange, settings
        self._network = blank(scenario.model, agreement.features, agreement.outputs)
        self._layout = Layout.of(self._network)
        self._rows = Rows(prepared, agreement, DTYPES[scenario.model.dtype])
        self._splits = {"test": prepared.test, "validation": prepared.validation}
        holding = np.flatnonzero(federation.holdout_sizes)
        self._holders = federation.cut(holding, scenario.federation.blocks) if len(holding) else []

    def __call__(self, parameters: Named) -> Metrics:
        """Metrics named after their split: test_…, validation_… and, pooled over the clients, holdout_…"""
        measured: Metrics = {}
        for split, positions in self._splits.items():
            if len(positions):
                measured |= self._named(split, self._central(parameters, positions))
        if self._holders:
            measured |= self._named("holdout", self._on_clients(parameters))
        return measured

    def _central(self, parameters: Named, positions: NDArray[np.int64]) -> Sums:
        flat = self._layout.flatten(tensors(parameters), 1)
        sizes = np.array([len(positions)])
        loss = loss_for(self._scenario.training.loss, self._agreement.task)
        batch = self._scenario.evaluation.batch_size
        (sums,) = evaluate(self._network, flat, self._rows, positions, sizes, loss, self._agreement, batch)
        return sums

    def _on_clients(self, parameters: Named) -> Sums:
        models = {name: array[None] for name, array in parameters.items()}
        shared = messages.evaluate_records(self._settings, self._agreement, models)
        found: dict[int, Sums] = {}
        for arrival in self._exchange.ask(messages.EVALUATE, shared, self._holders):
            if arrival.content is None:
                continue
            (scores,) = messages.read_scores(arrival.content)
            start = 0
            for block in arrival.blocks:
                stop = start + len(block.clients)
                found[block.index] = {name: array[start:stop] for name, array in scores.items()}
                start = stop
        # In block order, so that the pooled sums are added in one order whoever answered first.
        parts = [found[index] for index in sorted(found)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}

    def _named(self, split: str, sums: Sums) -> Metrics:
        if not sums:
            return {}
        pooled = finish(total(sums), self._agreement.task)
        return {f"{split}_{name}": float(value[0]) for name, value in pooled.items()}
