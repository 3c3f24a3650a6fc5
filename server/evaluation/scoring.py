"""Judging models: by the server on its validation rows, or by clients on their own held-out rows."""

from __future__ import annotations

import numpy as np

from common import messages
from common.arrays import NamedArrays, tensors
from common.data import Prepared
from common.data.data_spec import DataSpec
from common.data.prepared import Indices
from common.data.rows import open_rows
from common.errors import InputError, RunError
from common.evaluation import Evaluator
from common.extend.strategy import Scores
from common.metrics import METRICS, Sums, finish, primary, total
from common.scenario import Scenario
from common.settings import ClientSettings
from server.evaluation.scores import ask_scores
from server.exchange.costs import looking
from server.exchange.federation import Federation
from server.exchange.sending import Exchange

_MODELS_AT_ONCE = 16


class ScenarioScorer:
    """Scores models by what the strategy says, else by the task's metric; errors with their sign turned."""

    def __init__(
        self,
        scenario: Scenario,
        prepared: Prepared,
        data_spec: DataSpec,
        federation: Federation,
        exchange: Exchange,
    ) -> None:
        self._scenario, self._agreement, self._federation, self._exchange = scenario, data_spec, federation, exchange
        settings = ClientSettings.of(scenario)
        self._settings = settings.model_dump_json()
        self._evaluator = Evaluator(settings, data_spec)
        self._rows, self._validation = open_rows(prepared, data_spec, self._evaluator.dtype), prepared.validation
        self.metric = scenario.federation.strategy.judged_by or primary(data_spec.task).name
        self.more_is_better = METRICS[self.metric].more_is_better

    def by_server(self, models: NamedArrays) -> Scores:
        """Scores on the validation rows: models (models, *shape).

        Raises InputError where the server has none.
        """
        if not len(self._validation):
            raise InputError("expected rows to judge by: a fraction above 0", "data.validation_fraction")
        size = np.array([len(self._validation)])
        scores = []
        for first in range(0, len(next(iter(models.values()))), _MODELS_AT_ONCE):
            some = {name: array[first : first + _MODELS_AT_ONCE] for name, array in models.items()}
            scores += [
                self._score(sums) for sums in self._evaluator.sums(tensors(some), self._rows, self._validation, size)
            ]
        return np.array(scores)

    def by_clients(self, models: NamedArrays, judges: Indices) -> Scores:
        """Pooled scores on the held-out rows of the clients at the positions `judges`, who tell sums only.

        Raises InputError where none of them holds rows out.
        """
        holders = judges[self._federation.holdout_sizes[judges] > 0]
        if not len(holders):
            raise InputError(
                "expected rows of their own that clients judge by: a fraction above 0", "data.client_holdout"
            )
        costs = len(next(iter(models.values()))) * looking(
            self._evaluator.size, self._federation.holdout_sizes[holders]
        )
        blocks = self._federation.cut(holders, self._scenario.federation.blocks, costs)
        shared = messages.evaluate_records(self._settings, self._agreement, models)
        found: dict[int, list[Sums]] = {}
        number, held = len(next(iter(models.values()))), self._federation.holdout_sizes[holders]
        for answered, scores in ask_scores(self._exchange, shared, blocks, number, held, self._agreement.task):
            start = 0
            # Block by block: which blocks came in one message must change no bit.
            for block in answered:
                part = slice(start, start := start + len(block.clients))
                found[block.index] = [total({name: array[part] for name, array in sums.items()}) for sums in scores]
        if not found:
            raise RunError("no client judged the round's networks; events.jsonl says what happened")
        parts = [found[index] for index in sorted(found)]
        pooled = [
            {name: sum((part[model][name] for part in parts), np.zeros(1)) for name in parts[0][model]}
            for model in range(len(parts[0]))
        ]
        return np.array([self._score(sums) for sums in pooled])

    def _score(self, sums: Sums) -> float:
        if not np.isfinite(sums["loss"]).all():
            return float("nan")
        score = float(finish(sums, self._agreement.task)[self.metric][0])
        return score if self.more_is_better else -score
