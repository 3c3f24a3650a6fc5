"""Judging models: by the server on its validation examples, or by clients on their own held-out examples."""

from __future__ import annotations

import numpy as np

from common import messages
from common.arrays import NamedArrays, tensors
from common.data.examples import open_examples
from common.data.prepared import Indices
from common.errors import InputError, RunError
from common.extend.strategy import Scores
from common.metrics import Sums, primary
from server.evaluation.scores import ask_scores
from server.exchange.costs import evaluation_cost
from server.exchange.run_context import RunContext

_MODELS_AT_ONCE = 16


class ScenarioScorer:
    """Scores models by what the strategy says, else by the task's metric; errors with their sign turned."""

    def __init__(self, context: RunContext) -> None:
        self._run, scenario, spec = context, context.scenario, context.data_spec
        self._examples = open_examples(context.prepared, spec, context.evaluator.dtype)
        self._validation = context.prepared.validation
        self.metric = scenario.federation.strategy.judged_by or primary(spec.task).name
        self._metrics = context.evaluator.metrics
        self.more_is_better = self._metrics[self.metric].more_is_better

    def by_server(self, models: NamedArrays) -> Scores:
        """Scores on the validation examples: models (models, *shape).

        Raises InputError where the server has none.
        """
        if not len(self._validation):
            raise InputError("expected examples to judge by: a fraction above 0", "data.validation_fraction")
        size = np.array([len(self._validation)])
        scores = []
        for first in range(0, len(next(iter(models.values()))), _MODELS_AT_ONCE):
            some = {name: array[first : first + _MODELS_AT_ONCE] for name, array in models.items()}
            scores += [
                self._score(sums)
                for sums in self._run.evaluator.sums(tensors(some), self._examples, self._validation, size)
            ]
        return np.array(scores)

    def by_clients(self, models: NamedArrays, judges: Indices) -> Scores:
        """Pooled scores on the held-out examples of the clients at the positions `judges`, who tell sums only.

        Raises InputError where none of them holds examples out.
        """
        holders = judges[self._run.federation.holdout_sizes[judges] > 0]
        if not len(holders):
            raise InputError(
                "expected examples of their own that clients judge by: a fraction above 0", "data.client_holdout"
            )
        costs = len(next(iter(models.values()))) * evaluation_cost(
            self._run.evaluator.size, self._run.federation.holdout_sizes[holders]
        )
        blocks = self._run.federation.cut(holders, self._run.blocks, costs)
        shared = messages.evaluate_records(self._run.settings_text, self._run.data_spec, models)
        found: dict[int, list[Sums]] = {}
        number, held = len(next(iter(models.values()))), self._run.federation.holdout_sizes[holders]
        for answered, scores in ask_scores(self._run.exchange, shared, blocks, number, held, self._metrics):
            start = 0
            # Block by block: which blocks came in one message must change no bit.
            for block in answered:
                part = slice(start, start := start + len(block.clients))
                found[block.index] = [
                    self._metrics.total({name: array[part] for name, array in sums.items()}) for sums in scores
                ]
        if not found:
            raise RunError("no client judged the round's networks; see events.jsonl")
        parts = [found[index] for index in sorted(found)]
        pooled = [
            {name: sum((part[model][name] for part in parts), np.zeros(1)) for name in parts[0][model]}
            for model in range(len(parts[0]))
        ]
        return np.array([self._score(sums) for sums in pooled])

    def _score(self, sums: Sums) -> float:
        if not np.isfinite(sums["loss"]).all():
            return float("nan")
        score = float(self._metrics.finish(sums)[self.metric][0])
        return score if self.more_is_better else -score
