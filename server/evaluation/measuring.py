"""Measures the global model on the server's examples and the clients' held-out ones, and each client's own model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common import messages
from common.arrays import NamedArrays, pack, tensors
from common.data.examples import open_examples
from common.data.prepared import Indices
from common.extend.results import Block
from common.messages import InitialWeights
from common.metrics import Sums, primary
from common.metrics.fairness import fairness
from common.run_files import Metrics
from server.evaluation.scores import ask_scores
from server.exchange.costs import evaluation_cost
from server.exchange.run_context import RunContext


@dataclass(frozen=True)
class RoundMetrics:
    """How good the global model is, and the clients' own ones."""

    metrics: Metrics = field(default_factory=dict)
    """Named after their split: test_…, validation_… and, pooled over the clients, holdout_… and personal_…"""
    holders: Indices = field(default_factory=lambda: np.empty(0, np.int64))
    """The ids of the clients that measured on their own held-out examples."""
    holdout: Sums = field(default_factory=dict)
    """What each of them found of the global model, each metric of shape (holders,)."""
    personal: Sums = field(default_factory=dict)
    """What each of them found of its own model, where clients come to models of their own."""
    samples: dict[str, Any] | None = None
    """What a generative model makes, in the rounds in which that is to be shown."""


class RoundEvaluator:
    """Everything that is measured after a round."""

    def __init__(self, context: RunContext) -> None:
        self._run, prepared, federation = context, context.prepared, context.federation
        self._metrics = context.evaluator.metrics
        self._examples = open_examples(prepared, context.data_spec, context.evaluator.dtype)
        self._splits = {"test": prepared.test, "validation": prepared.validation}
        self._holding = np.flatnonzero(federation.holdout_sizes)
        self._examples_held = federation.holdout_sizes[self._holding]
        self._sampler: Callable[[int, NamedArrays], dict[str, Any] | None] | None = None
        if context.data_spec.task == "generation":
            # It takes torch.func, which takes a while to import.
            from server.evaluation.generation import Sampler

            self._sampler = Sampler(context)
        costs = evaluation_cost(self._run.evaluator.size, self._examples_held)
        self._holders = federation.cut(self._holding, context.blocks, costs) if len(self._holding) else []

    def __call__(
        self, number: int, weights: NamedArrays, versions: Indices, candidates: NamedArrays, starts: InitialWeights
    ) -> RoundMetrics:
        """A model's metrics: pooled, over the clients, and client by client; `weights` are parameters and buffers.

        `versions` has for every client of the federation the version of its state, `candidates` are the models that
        clients may choose their own from, `starts` have own models of some in place of what they kept.
        Over the clients' own results for the task's primary metric stand holdout_<metric>_mean, _worst_10, _best_10,
        _variance and _jain: see `fairness`. The same
        numbers of the clients' own models begin with personal_; a client that has nothing of its own yet uses
        the global model. Where clients keep all arrays to themselves there is no global model: nothing is measured
        on the server's examples, and holdout_ is said of their own models too.
        """
        measured: Metrics = {}
        alone = len(self._run.settings.strategy.personal(weights)) == len(weights)
        for split, positions in self._splits.items():
            if len(positions) and not alone:
                measured |= self._pooled(split, self._central(weights, positions))
        nobody: tuple[Indices, list[Sums]] = np.empty(0, np.int64), []
        holders, found = self._on_clients(weights, versions, candidates, starts) if self._holders else nobody
        found = found[-1:] * 2 if alone else found
        of_clients: dict[str, Sums] = {}
        for split, sums in zip(("holdout", "personal"), found, strict=False):
            of_clients[split] = self._metrics.finish(sums)
            measured |= self._pooled(split, self._metrics.total(sums)) | self._fairness(split, of_clients[split])
        samples = self._sampler(number, weights) if self._sampler is not None else None
        return RoundMetrics(measured, holders, **of_clients, samples=samples)

    def _central(self, weights: NamedArrays, positions: NDArray[np.int64]) -> Sums:
        one = {name: tensor[None] for name, tensor in tensors(weights).items()}
        (sums,) = self._run.evaluator.sums(one, self._examples, positions, np.array([len(positions)]))
        return sums

    def _on_clients(
        self, weights: NamedArrays, versions: Indices, candidates: NamedArrays, starts: InitialWeights
    ) -> tuple[Indices, list[Sums]]:
        """The ids of the clients that answered, and for each model the sums over each one's held-out examples."""
        models = {name: array[None] for name, array in weights.items()}
        if candidates:
            models = {name: np.concatenate([array, candidates[name]]) for name, array in models.items()}
        personal = self._run.settings.strategy.personalizes
        shared = messages.evaluate_records(self._run.settings_text, self._run.data_spec, models, personal)

        theirs = personal and self._run.settings.keeps_state
        kept = sum(array[0].nbytes for array in models.values()) if theirs else 0

        def own(group: list[Block]) -> messages.MessageRecords:
            if not theirs:
                return {}
            positions = np.concatenate([self._holding[block.places] for block in group])
            return {messages.VERSIONS: pack({"committed": versions[positions]}), **starts.among(positions).write()}

        found: dict[int, tuple[Indices, list[Sums]]] = {}
        number = 2 if personal else len(next(iter(models.values())))
        own_arrays = self._run.settings.strategy.personal(weights)
        for blocks, sums in ask_scores(
            self._run.exchange,
            shared,
            self._holders,
            number,
            self._examples_held,
            self._metrics,
            own,
            kept,
            own_arrays,
        ):
            start = 0
            for block in blocks:
                part = slice(start, start + len(block.clients))
                found[block.index] = block.clients, [{n: array[part] for n, array in one.items()} for one in sums]
                start = part.stop
        # In block order, so that the pooled sums are added in one order whoever answered first.
        parts = [found[index] for index in sorted(found)]
        clients = np.concatenate([np.empty(0, np.int64), *(ids for ids, _ in parts)])
        return clients, [
            {name: np.concatenate([sums[name] for sums in model]) for name in model[0] if all(name in s for s in model)}
            for model in zip(*(models for _, models in parts), strict=True)
        ]

    def _fairness(self, split: str, own: Sums) -> Metrics:
        """How the clients' own results for the primary metric spread."""
        metric = primary(self._run.data_spec.task)
        spread = fairness(own[metric.name], metric.more_is_better)
        return {f"{split}_{metric.name}_{name}": value for name, value in spread.items()}

    def _pooled(self, split: str, sums: Sums) -> Metrics:
        pooled = self._metrics.finish(sums)
        return {f"{split}_{name}": float(value[0]) for name, value in pooled.items()}
