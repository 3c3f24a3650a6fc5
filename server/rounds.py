"""The round loop: select, cut into blocks, send, aggregate, evaluate, record."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from flwr.serverapp import Grid

from common import messages
from common.arrays import Named, numbers, pack
from common.data import Prepared
from common.errors import InputError, RunError
from common.messages import TrainReply
from common.models import build
from common.models.predictor import Predictor
from common.scenario import Scenario, cohort_size
from common.settings import ClientSettings
from server.evaluation import Evaluation
from server.exchange import Exchange
from server.federation import agree, discover
from server.grid.base import DirectGrid
from server.observers import Metrics, Observer
from server.results import BlockResult, block_results
from server.selection import select
from server.strategies import STRATEGIES
from server.strategies.base import Instructions


class Rounds:
    """One run of a scenario over a grid."""

    def __init__(self, grid: Grid, scenario: Scenario, prepared: Prepared, observers: Sequence[Observer]) -> None:
        self._scenario, self._observers = scenario, observers
        self._round = 0
        if isinstance(grid, DirectGrid):
            grid.listen(self._tell)
        self._federation = discover(grid)
        self._cohort = cohort_size(scenario.federation.clients_per_round, len(self._federation.clients))
        if self._cohort > len(self._federation.clients):
            raise InputError(
                f"at most the {len(self._federation.clients)} clients that are there, not {self._cohort}",
                "federation.clients_per_round",
            )
        self._exchange = Exchange(grid, self._federation.nodes)
        blocks = scenario.federation.blocks
        self._agreement = agree(self._exchange, self._federation, blocks, prepared.meta.labels)
        _check_loss(scenario, self._agreement.task)
        self._settings = ClientSettings.of(scenario).model_dump_json()
        self._network = build(scenario.model, self._agreement.features, self._agreement.outputs, scenario.seed)
        self._strategy = STRATEGIES[scenario.federation.strategy.name](scenario.federation.strategy)
        self._evaluate = Evaluation(
            scenario, prepared, self._agreement, self._federation, self._exchange, self._settings
        )
        self._parameters: Named = {name: p.detach().numpy() for name, p in self._network.named_parameters()}

    def run(self) -> None:
        """All rounds, from the untrained model's evaluation as round 0 to the final model.

        Raises RunError where too few clients are left to go on.
        """
        rounds = self._scenario.federation.rounds
        size = sum(array.size for array in self._parameters.values())
        for observer in self._observers:
            observer.started(rounds, len(self._federation.clients), size)
        started = time.monotonic()
        self._record(0, started, {"clients": 0, "bytes_down": 0, "bytes_up": 0}, self._evaluate(self._parameters))
        for round_number in range(1, rounds + 1):
            started, self._round = time.monotonic(), round_number
            metrics = self._train(round_number)
            last = round_number == rounds
            due = last or round_number % self._scenario.evaluation.every == 0
            self._record(round_number, started, metrics, self._evaluate(self._parameters) if due else {})
        for observer in self._observers:
            observer.finished(self._model())

    def _train(self, round_number: int) -> Metrics:
        """One round of training: the global weights become the aggregate of the cohort's."""
        scenario = self._scenario
        cohort = select(scenario.seed, round_number, len(self._federation.clients), self._cohort)
        instructions = self._strategy.instruct(round_number, pack(self._parameters))
        results = sorted(self._results(round_number, instructions, cohort), key=lambda result: result.block.index)
        examples = np.concatenate([result.metrics["examples"] for result in results] or [np.empty(0)])
        losses = np.concatenate([result.metrics["train_loss"] for result in results] or [np.empty(0)])
        took_part = examples > 0
        if took_part.sum() < scenario.federation.min_clients:
            raise RunError(
                f"round {round_number}: {took_part.sum()} of {len(cohort)} clients gave a usable answer, "
                f"federation.min_clients is {scenario.federation.min_clients}; events.jsonl says what happened"
            )
        usable = [result for result in results if result.weight > 0]
        self._parameters = self._strategy.aggregate(round_number, usable)
        down = numbers(self._parameters) + sum(numbers(arrays) for arrays in instructions.records.values())
        up = sum(numbers(arrays) for arrays in usable[0].sums.values())
        return {
            "clients": int(took_part.sum()),
            "train_loss": float(np.average(losses[took_part], weights=examples[took_part])),
            "bytes_down": down * len(cohort),
            "bytes_up": up * int(took_part.sum()),
        }

    def _results(self, round_number: int, instructions: Instructions, cohort: np.ndarray) -> Iterator[BlockResult]:
        """The blocks' results, as they come; clients that failed are named in an event."""
        blocks = self._federation.cut(cohort, self._scenario.federation.blocks)
        shared = messages.train_records(
            round_number, self._settings, self._agreement, instructions.parameters, instructions.records
        )
        nobody = {"values": pack({})}
        for arrival in self._exchange.ask(messages.TRAIN, shared, blocks, lambda _: nobody):
            if arrival.content is None:
                lost = [int(client) for block in arrival.blocks for client in block.clients]
                self._tell("excluded", {"clients": lost, "reason": arrival.error})
                continue
            for result in block_results(arrival.blocks, TrainReply.read(arrival.content)):
                for client, reason in result.excluded.items():
                    self._tell("excluded", {"clients": [client], "reason": reason})
                yield result

    def _record(self, round_number: int, started: float, trained: Metrics, evaluated: Metrics) -> None:
        metrics = {"round": round_number, "seconds": time.monotonic() - started, **trained, **evaluated}
        for observer in self._observers:
            observer.round_ended(metrics)

    def _tell(self, event: str, details: dict[str, Any]) -> None:
        for observer in self._observers:
            observer.happened(event, self._round, details)

    def _model(self) -> Predictor:
        with torch.no_grad():
            for name, parameter in self._network.named_parameters():
                parameter.copy_(torch.from_numpy(np.array(self._parameters[name])))
        return Predictor(self._network, self._scenario.model, self._agreement).eval()


def _check_loss(scenario: Scenario, task: str) -> None:
    fits = {"classification": ("auto", "cross_entropy"), "regression": ("auto", "mse")}
    if scenario.training.loss not in fits[task]:
        raise InputError(f"the data is a {task}; use {' or '.join(fits[task])}", "training.loss")
