"""The round loop: select, train, aggregate, evaluate, record, save."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from flwr.serverapp import Grid

from common.arrays import Named, numbers, pack
from common.data import Prepared
from common.errors import InputError
from common.models import build
from common.models.predictor import Predictor
from common.models.start import starting_weights
from common.scenario import Scenario, cohort_size
from common.settings import ClientSettings
from server.checkpoints import Checkpoints
from server.evaluation import Evaluation
from server.exchange import Exchange
from server.federation import agree, discover
from server.grid.base import DirectGrid
from server.keeper import Keeper
from server.observers import Metrics, Observer
from server.resume import Resumed
from server.selection import select
from server.state import RunState
from server.strategies import STRATEGIES
from server.training import Trained, Training


class Rounds:
    """One run of a scenario over a grid, from its beginning or from where it was left."""

    def __init__(
        self,
        grid: Grid,
        scenario: Scenario,
        prepared: Prepared,
        observers: Sequence[Observer],
        checkpoints: Checkpoints | None = None,
        resumed: Resumed | None = None,
    ) -> None:
        self._scenario, self._observers = scenario, observers
        self._resumed, self._round = resumed or Resumed(None, [], []), 0
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
        agreement = agree(self._exchange, self._federation, scenario.federation.blocks, prepared.meta.labels)
        _check_loss(scenario, agreement.task)
        self._agreement, self._settings = agreement, ClientSettings.of(scenario)
        self._network = build(scenario.model, agreement.features, agreement.outputs, scenario.seed)
        self._strategy = STRATEGIES[scenario.federation.strategy.name](scenario.federation.strategy)
        self._training = Training(scenario, self._exchange, self._federation, agreement, self._settings, self._tell)
        self._evaluate = Evaluation(
            scenario, prepared, agreement, self._federation, self._exchange, self._settings.model_dump_json()
        )
        self._keeper = Keeper(
            scenario, agreement.task, checkpoints, self._client_states, self._tell, self._resumed.history
        )

    def run(self) -> None:
        """All rounds that are left, and the final model.

        Whatever ends the run early, the last round that was completed is saved first. Raises RunError where
        too few clients are left to go on.
        """
        rounds = self._scenario.federation.rounds
        size = sum(parameter.numel() for parameter in self._network.parameters())
        for observer in self._observers:
            observer.started(rounds, len(self._federation.clients), size)
        for event, details in self._resumed.notes:
            self._tell(event, details)
        state = self._resumed.state
        try:
            state = self._begin() if state is None else self._restored(state)
            while state.round < rounds:
                state = self._next(state)
        except BaseException:
            self._keeper.at_the_break(state)
            raise
        for observer in self._observers:
            observer.finished(self._model(state.parameters))

    def _begin(self) -> RunState:
        """Round 0: the untrained model, measured."""
        clock = _Clock()
        fresh = {name: parameter.detach().numpy() for name, parameter in self._network.named_parameters()}
        parameters = starting_weights(self._scenario, fresh) or fresh
        metrics = {"clients": 0, "bytes_down": 0, "bytes_up": 0, **self._evaluate(parameters)}
        clock.lap("evaluation")
        versions = np.zeros(len(self._federation.clients), dtype=np.int64)
        state = RunState(0, parameters, self._strategy.state(), versions, {}, {"round": 0, **metrics})
        self._tell_round(state.metrics, clock)
        return state

    def _restored(self, state: RunState) -> RunState:
        """Give the strategy and the clients back what they had after the state's round."""
        self._round = state.round
        self._strategy.restore(state.strategy)
        self._exchange.restore_states(*self._committed(state), state.clients)
        self._tell("resumed", {})
        return state

    def _next(self, before: RunState) -> RunState:
        """One round: the global weights become the aggregate of the cohort's."""
        scenario, clock = self._scenario, _Clock()
        self._round = number = before.round + 1
        cohort = select(scenario.seed, number, len(self._federation.clients), self._cohort)
        instructions = self._strategy.instruct(number, pack(before.parameters))
        without = self._resumed.excluded.get(number, {})
        trained = self._training.round(number, cohort, instructions, before.versions, without)
        clock.lap("training")
        parameters = self._strategy.aggregate(number, trained.results)
        versions = before.versions
        if self._settings.keeps_state:
            versions = versions.copy()
            versions[np.searchsorted(self._federation.clients, trained.clients)] = number
        metrics = {"round": number, **_traffic(parameters, instructions.records, len(cohort), trained)}
        clock.lap("aggregation")
        if number == scenario.federation.rounds or number % scenario.evaluation.every == 0:
            metrics |= self._evaluate(parameters)
            clock.lap("evaluation")
        state = RunState(number, parameters, self._strategy.state(), versions, {}, metrics)
        self._keeper.after(state)
        clock.lap("checkpoint")
        self._tell_round(metrics, clock)
        return state

    def _client_states(self, state: RunState) -> Named:
        """The committed states of the clients that have one."""
        return self._exchange.collect_states(*self._committed(state))

    def _committed(self, state: RunState) -> tuple[np.ndarray, np.ndarray]:
        """The clients that have a state, and its version."""
        having = np.flatnonzero(state.versions)
        return self._federation.clients[having], state.versions[having]

    def _tell_round(self, metrics: Metrics, clock: _Clock) -> None:
        timed = {**metrics, "seconds": clock.total(), **clock.laps}
        for observer in self._observers:
            observer.round_ended(timed)

    def _tell(self, event: str, details: dict[str, Any]) -> None:
        for observer in self._observers:
            observer.happened(event, self._round, details)

    def _model(self, parameters: Named) -> Predictor:
        with torch.no_grad():
            for name, parameter in self._network.named_parameters():
                parameter.copy_(torch.from_numpy(np.array(parameters[name])))
        return Predictor(self._network, self._scenario.model, self._agreement).eval()


class _Clock:
    """How long the parts of a round take."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """The time since the last lap belongs to `name`."""
        now = time.monotonic()
        self.laps[f"{name}_seconds"] = now - self._last
        self._last = now

    def total(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started


def _traffic(parameters: Named, records: dict[str, Named], cohort: int, trained: Trained) -> Metrics:
    """Who took part, and the bytes that would travel were every client a device of its own."""
    down = numbers(parameters) + sum(numbers(arrays) for arrays in records.values())
    result = trained.results[0]
    up = sum(numbers(arrays) for arrays in result.sums.values())
    up += sum(numbers(arrays) // len(result.block.clients) for arrays in result.rows.values())
    return {
        "clients": len(trained.clients),
        "train_loss": trained.loss,
        "bytes_down": down * cohort,
        "bytes_up": up * len(trained.clients),
    }


def _check_loss(scenario: Scenario, task: str) -> None:
    fits = {"classification": ("auto", "cross_entropy"), "regression": ("auto", "mse")}
    if scenario.training.loss not in fits[task]:
        raise InputError(f"the data is a {task}; use {' or '.join(fits[task])}", "training.loss")
