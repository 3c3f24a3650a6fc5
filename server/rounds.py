"""The round loop: select, train, aggregate, evaluate, record, save."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import replace

import numpy as np

from common import seeds
from common.arrays import NamedArrays, tensors
from common.data import Prepared
from common.data.prepared import Indices
from common.determinism import unmoved_generators
from common.errors import InputError, RunError
from common.extend.events import Event, Events, Observer, RoundReport, RoundStarted, RunStarted
from common.extend.leaderboard import Leaderboard
from common.extend.selection import SelectionRule
from common.extend.strategy import Instructions, RoundOutcome, RoundStart, Strategy, StrategyContext, server_strategy
from common.messages import BUFFERS
from common.models import build, check_network
from common.models.model_file import as_model
from common.models.predictor import Predictor
from common.models.start import starting_weights
from common.run_files import Metrics
from common.scenario import Scenario, cohort_size
from common.scenario.callbacks import CallbackPart
from common.scenario.registry import implementation, is_built_in
from common.settings import ClientSettings
from common.wording import first_few
from server.evaluation.due import is_due
from server.evaluation.losses import TrainingLosses
from server.evaluation.measuring import RoundEvaluator, RoundMetrics
from server.evaluation.running_statistics import RunningStatistics
from server.evaluation.scoring import ScenarioScorer
from server.exchange.assignment import Assignment, RoundResults
from server.exchange.client_states import ClientStateSync
from server.exchange.data_spec import agree_on_data
from server.exchange.federation import Federation, discover
from server.exchange.run_context import RunContext
from server.exchange.sending import Carrier, Exchange
from server.exchange.traffic import traffic
from server.exchange.training import OutOfDeviceMemory, Training
from server.grid.base import DirectGrid
from server.record.checkpoint_policy import CheckpointPolicy
from server.record.checkpoints import Checkpoints
from server.record.resume import Resumed
from server.record.state import RunState
from server.trainer import choose


class Rounds:
    """One run of a scenario over a grid, from its beginning or from where it was left."""

    def __init__(
        self,
        grid: Carrier,
        scenario: Scenario,
        prepared: Prepared,
        observers: Sequence[Observer],
        checkpoints: Checkpoints | None = None,
        resumed: Resumed | None = None,
    ) -> None:
        self._scenario, self._observers = scenario, observers
        self._resumed = resumed or Resumed(None, [], [])
        self._history = [_without_times(line) for line in self._resumed.history]
        self._stopped = ""
        """Why a callback ended the run; empty as long as none did."""
        self._notes, self._events = list(self._resumed.notes), Events(self._pass_on)
        if isinstance(grid, DirectGrid):
            grid.events = self._events
        federation = self._discover(grid, prepared)
        cohort = cohort_size(scenario.federation.clients_per_round, len(federation.clients))
        if cohort > len(federation.clients):
            raise InputError(
                f"at most the {len(federation.clients)} clients that are there, not {cohort}",
                "federation.clients_per_round",
            )
        exchange = Exchange(grid, federation.nodes, prepared.key, self._events)
        data_spec = agree_on_data(exchange, federation, prepared, scenario)
        trainer = choose(scenario, federation, self._resumed.trainer)
        if checkpoints is not None:
            checkpoints.belong_to(trainer=trainer.identity)
        self._notes += trainer.notes
        self._facts = {**trainer.facts, "data": prepared.meta.content}
        settings = ClientSettings.of(scenario).with_trainer(trainer.name, trainer.device)
        self._run = run = RunContext(scenario, prepared, federation, exchange, data_spec, settings)
        self._network = build(scenario.model, data_spec, scenario.seed, settings.training.stacking)
        if scenario.federation.privacy is not None and (buffers := [name for name, _ in self._network.named_buffers()]):
            told = f"a network without running statistics, for privacy; {buffers[0]} leaves clients without noise"
            raise InputError(f"expected {told}", "model")
        check_network(scenario, self._network)
        if why := getattr(self._network, "why_alone", ""):
            self._facts["one_by_one"] = why
        self._training, self._evaluate = Training(run), RoundEvaluator(run)
        self._losses, self._statistics = TrainingLosses(run), RunningStatistics(run, self._network)
        self._client_states = ClientStateSync(run)
        sizes, scorer = federation.training_sizes, ScenarioScorer(run)
        context = StrategyContext(scenario, federation.clients, sizes, scorer, self._losses, self._draw_weights)
        rule, options = scenario.federation.selection, scenario.federation.strategy
        self._selection: SelectionRule = implementation(rule)(rule, context, cohort)
        self._strategy: Strategy = server_strategy(options)(options, context)
        if scenario.federation.privacy is not None:
            # Its accountants take a while to import.
            from server.privacy import PrivateStrategy

            self._strategy = PrivateStrategy(scenario.federation.privacy, context, self._strategy)
        self._policy = CheckpointPolicy(
            scenario, data_spec.task, checkpoints, self._client_states, self._events, self._resumed.history
        )

    def _discover(self, grid: Carrier, prepared: Prepared) -> Federation:
        """The clients that are there; what is wrong with some is noted."""
        federation, claims = discover(grid, prepared, self._scenario.uses, self._scenario.training.device).within(
            self._scenario.federation.limits.examples
        )
        for client, examples in claims:
            reason = f"it claims {examples:,} examples, more than federation.limits.examples"
            self._notes.append(("refused", {"clients": [client], "reason": reason}))
        if federation.missing:
            reason = "the data has them, but no node does; the run continues without them"
            self._notes.append(("missing", {"clients": federation.missing, "reason": reason}))
        return federation

    def run(self) -> None:
        """All rounds that are left, and the final model.

        Whatever ends the run early, the last round that was completed is saved first. Raises RunError where
        too few clients are left to go on.
        """
        rounds = self._scenario.federation.rounds
        size = sum(parameter.numel() for parameter in self._network.parameters())
        federation = self._run.federation
        self._pass_on(
            RunStarted(
                rounds,
                federation.clients,
                federation.training_sizes,
                federation.holdout_sizes,
                size,
                self._run.data_spec,
                self._facts,
            )
        )
        for name, details in self._notes:
            self._events.notice(name, **details)
        state = self._resumed.state
        try:
            state = self._begin() if state is None else self._restored(state)
            while state.round < rounds and not self._stopped:
                state = self._next(state)
        except BaseException:
            self._policy.at_the_break(state)
            raise
        for observer in self._observers:
            observer.on_end(self._model(state))

    def _begin(self) -> RunState:
        """Round 0: the untrained model, measured."""
        clock = _Clock()
        fresh = {name: tensor.numpy() for name, tensor in self._network.arrays().items()}
        weights, new = starting_weights(self._scenario, fresh, self._run.data_spec) or (fresh, [])
        for reason in new:
            self._events.notice("partly new", reason=reason)
        versions = np.zeros(len(self._run.federation.clients), dtype=np.int64)
        measured = self._evaluate(0, weights, versions, self._strategy.candidates(), self._strategy.initial_weights())
        metrics = {"clients": 0, "bytes_down": 0, "bytes_up": 0, "bytes_evaluation": self._evaluation_bytes()}
        metrics |= measured.metrics
        clock.lap("evaluation")
        self._report(measured)
        buffers = {name: weights.pop(name) for name, _ in self._network.named_buffers()}
        state = self._state(weights, buffers, versions, {"round": 0, **metrics})
        self._history.append(state.metrics)
        self._stopped = self._ask_callbacks(0)
        self._end_round(state.metrics, clock)
        return state

    def _state(self, parameters: NamedArrays, buffers: NamedArrays, versions: Indices, metrics: Metrics) -> RunState:
        """Where the run stands after the round."""
        # Copies: whatever becomes of the next round, this one's state stays what it is.
        strategy, selection = (
            {name: np.array(array) for name, array in half.state.items()} for half in (self._strategy, self._selection)
        )
        widest = self._training.widest
        return RunState(self._events.round, parameters, buffers, strategy, selection, versions, metrics, widest)

    def _restored(self, state: RunState) -> RunState:
        """Give the strategy and the clients back what they had after the state's round."""
        self._events.round = state.round
        # Files sort names; Flower's strategies match arrays by their places.
        parameters = {name: state.parameters[name] for name, _ in self._network.named_parameters()}
        self._strategy.state = dict(state.strategy)
        self._selection.state = dict(state.selection)
        self._training.widest = state.widest
        self._client_states.restore(state.versions, self._resumed.client_states())
        self._events.notice("resumed")
        self._stopped = self._ask_callbacks(state.round)
        return replace(state, parameters=parameters)

    def _next(self, before: RunState) -> RunState:
        """One round: the global weights become the aggregate of the cohort's."""
        scenario, clock = self._scenario, _Clock()
        self._events.round = number = before.round + 1
        self._run.exchange.traffic.take()
        with self._watching(self._selection):
            cohort = self._selection.cohort(number, before.parameters | before.buffers)
        self._pass_on(RoundStarted(number, self._run.federation.clients[cohort]))
        start = self._start(before, cohort)
        assignment = self._assignment(start, before.versions)
        trained = self._train(assignment)
        clock.lap("training")
        empty = not trained.results and not self._strategy.steps_without_clients
        with self._watching(self._strategy):
            outcome = RoundOutcome({}) if empty else self._strategy.aggregate(start, trained.results)
        _check_like(outcome.parameters, before.parameters, f"round {number}: {type(self._strategy).__name__}")
        for name, details in outcome.events:
            self._events.notice(name, **details)
        parameters, buffers = before.parameters | outcome.parameters, outcome.buffers
        if buffers is None and empty:
            buffers = before.buffers
        elif buffers is None:
            buffers = self._statistics(parameters, before.buffers, trained.results)
        took_part = np.searchsorted(self._run.federation.clients, trained.clients)
        self._selection.learn(number, took_part)
        versions = before.versions
        if self._run.settings.keeps_state:
            versions = versions.copy()
            versions[took_part] = number
            if outcome.adoption is not None:
                self._client_states.adopt(number, versions, outcome.adoption.adopters, outcome.adoption.givers)
        kept = set(scenario.federation.strategy.personal([*parameters, *buffers]))
        metrics = {
            "round": number,
            **traffic(kept, assignment, trained),
            **outcome.metrics,
        }
        beside = self._run.exchange.traffic.take()
        metrics["bytes_down"] += beside.down
        metrics["bytes_up"] += beside.up
        clock.lap("aggregation")
        measured = RoundMetrics()
        if is_due(scenario, number):
            strategy, model = self._strategy, self._strategy.reported(parameters | buffers)
            measured = self._evaluate(number, model, versions, strategy.candidates(), strategy.initial_weights())
            metrics |= {"bytes_evaluation": self._evaluation_bytes(), **measured.metrics}
            clock.lap("evaluation")
        self._report(measured, trained, outcome.leaderboard)
        state = self._state(parameters, buffers, versions, metrics)
        self._history.append(metrics)
        self._stopped = self._ask_callbacks(number)
        self._policy.after(state, last=bool(self._stopped) or number == scenario.federation.rounds)
        clock.lap("checkpoint")
        self._end_round(metrics, clock)
        return state

    def _train(self, assignment: Assignment) -> RoundResults:
        """What the cohort sends; with smaller stacks, from the beginning, where a card's memory did not hold them."""
        while True:
            try:
                return self._training.round(assignment)
            except OutOfDeviceMemory as full:
                self._training.widest = widest = full.clients // 2
                reason = f"{full}; the round is trained again with at most {widest}"
                self._events.notice("out of device memory", widest=widest, reason=reason)

    def _ask_callbacks(self, number: int) -> str:
        """Why the run ends after this round; empty where it continues."""
        for callback in self._scenario.callbacks if is_due(self._scenario, number) else ():
            with self._watching(callback):
                reason = callback.on_round_end([dict(line) for line in self._history])
            if reason:
                self._events.notice("stopped", reason=f"{callback.name}: {reason}")
                return f"{callback.name}: {reason}"
        return ""

    def _start(self, before: RunState, cohort: Indices) -> RoundStart:
        """What the round starts from."""
        losses = np.empty(0)
        if self._strategy.needs_client_losses and len(cohort):
            losses = self._losses(before.parameters | before.buffers, cohort).mean
        return RoundStart(self._events.round, before.parameters, before.buffers, cohort, losses)

    def _assignment(self, start: RoundStart, versions: Indices) -> Assignment:
        """Who trains, and from what."""
        instructions = Instructions()
        if len(start.cohort) or self._strategy.steps_without_clients:
            with self._watching(self._strategy):
                instructions = self._strategy.instruct(start)
        if start.buffers:
            records = {BUFFERS: start.buffers} | instructions.records
            instructions = replace(instructions, records=records)
        initial, known = self._strategy.initial_weights().among(start.cohort), False
        if self._scenario.federation.strategy.keeps_networks:
            has_none = versions[start.cohort] == 0
            has_none[initial.places] = False
            known = not has_none.any()
        parameters = start.parameters if instructions.parameters is None else instructions.parameters
        without = self._resumed.excluded.get(start.number, {})
        return Assignment(start.number, start.cohort, parameters, instructions, known, initial, versions, without)

    def _watching(self, half: Strategy | SelectionRule | CallbackPart) -> AbstractContextManager[None]:
        """Warns where a user's part draws from a global generator."""
        return nullcontext() if is_built_in(type(half)) else unmoved_generators(type(half).__name__)

    def _report(
        self, measured: RoundMetrics, trained: RoundResults | None = None, leaderboard: Leaderboard | None = None
    ) -> None:
        """Pass on what became of each client and, where networks competed, of each network."""
        nobody = np.empty(0, np.int64)
        self._pass_on(
            RoundReport(
                round=self._events.round,
                clients=trained.clients if trained else nobody,
                train_loss=trained.losses if trained else nobody.astype(np.float64),
                holders=measured.holders,
                holdout=measured.holdout,
                personal=measured.personal,
                leaderboard=leaderboard,
                samples=measured.samples,
            )
        )

    def _evaluation_bytes(self) -> int:
        taken = self._run.exchange.traffic.take()
        return taken.down + taken.up

    def _draw_weights(self, number: int) -> NamedArrays:
        """Weights drawn as those of round 0 are."""
        network = deepcopy(self._network)
        network.initialize(seeds.torch_generator(self._scenario.seed, "init", number))
        return {name: tensor.numpy() for name, tensor in network.arrays().items()}

    def _end_round(self, metrics: Metrics, clock: _Clock) -> None:
        timed = {**metrics, "seconds": clock.total(), **clock.laps}
        for observer in self._observers:
            observer.on_round_end(timed)

    def _pass_on(self, event: Event) -> None:
        for observer in self._observers:
            observer.on_event(event)

    def _model(self, state: RunState) -> Predictor:
        self._network.assign(tensors(self._strategy.reported(state.parameters | state.buffers)))
        untrained = self._scenario.federation.strategy.personal(self._network.arrays())
        return as_model(self._network, self._scenario.model, self._run.data_spec, untrained)


def _check_like(arrays: NamedArrays, like: NamedArrays, what: str) -> None:
    """Raise RunError where arrays are not named, shaped and typed as those of the model."""
    for name, array in arrays.items():
        if name not in like:
            raise RunError(f"{what}: {name} is no array of the model; expected some of {first_few(list(like), 5)}")
        if array.shape != like[name].shape or array.dtype != like[name].dtype:
            raise RunError(
                f"{what}: {name} is {array.dtype} of shape {array.shape}; "
                f"expected {like[name].dtype} of shape {like[name].shape}"
            )


def _without_times(line: Metrics) -> Metrics:
    return {name: value for name, value in line.items() if not name.endswith("seconds")}


class _Clock:
    """How long the parts of a round take."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """The time since the last lap belongs to `name`."""
        now = time.monotonic()
        self.laps[f"{name}_seconds"] = round(now - self._last, 6)
        self._last = now

    def total(self) -> float:
        """Seconds since the beginning."""
        return round(time.monotonic() - self._started, 6)
