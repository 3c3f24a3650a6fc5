"""When a run's state is saved: every few rounds, at the best round, at the end and when it breaks off."""

from __future__ import annotations

import time

from common.extend.events import Events
from common.metrics import primary
from common.run_files import Metrics
from common.scenario import Scenario
from common.tasks import Task
from server.exchange.client_states import ClientStateSync
from server.record.checkpoints import BEST, Checkpoints, name_of
from server.record.state import RunState


class CheckpointPolicy:
    """Saves a run's states into its checkpoints."""

    def __init__(
        self,
        scenario: Scenario,
        task: Task,
        checkpoints: Checkpoints | None,
        client_states: ClientStateSync,
        events: Events,
        history: list[Metrics],
    ) -> None:
        """`history` are the rounds before this start."""
        strategy = scenario.federation.strategy
        if checkpoints is not None and not strategy.resumable:
            checkpoints = None
            reason = f"{strategy.name} does not declare its state: the run cannot be resumed"
            events.notice("no checkpoints", reason=reason)
        self._spec = scenario.checkpoints
        self._checkpoints, self._client_states, self._events = checkpoints, client_states, events
        metric = primary(task)
        personal = scenario.federation.strategy.outcome == "own" and scenario.data.client_holdout
        self._key = f"{'personal' if personal else 'validation'}_{metric.name}"
        self._sign = 1.0 if metric.more_is_better else -1.0
        self._best = max((self._score(entry) for entry in history), default=float("-inf"))
        self._saved = -1

    def after(self, state: RunState, last: bool) -> None:
        """Save the state after a round where that is due or it is the `last`, and where it is the best so far."""
        score = self._score(state.metrics)
        better = self._spec.best and score > self._best
        self._best = max(self._best, score)
        if last or state.round % self._spec.every == 0:
            self._save(state, name_of(state.round))
            self._saved = state.round
        if better:
            self._save(state, BEST)

    def at_the_break(self, state: RunState | None) -> None:
        """Save the last round that was completed before the run broke off, if that was not done yet."""
        if state is None or state.round <= self._saved:
            return
        try:
            self._save(state, name_of(state.round))
            self._saved = state.round
        except Exception as error:
            # Why the run broke off is what is to be told.
            self._events.notice("checkpoint failed", reason=f"{type(error).__name__}: {error}")

    def _save(self, state: RunState, name: str) -> None:
        if self._checkpoints is None:
            return
        started = time.monotonic()
        try:
            kept = self._client_states.collect(state.versions, state.parameters)
            size = self._checkpoints.save(state, kept, name)
        except OSError as error:
            # The run is worth more than this checkpoint; the next one may find room again.
            where = error.filename or self._checkpoints.folder
            self._events.notice("checkpoint failed", reason=f"{where}: {error.strerror}")
            return
        self._events.notice("checkpoint", file=name, bytes=size, seconds=time.monotonic() - started)

    def _score(self, metrics: Metrics) -> float:
        value = metrics.get(self._key)
        # A metric that is missing or NaN is never the best.
        return self._sign * value if value is not None and value == value else float("-inf")
