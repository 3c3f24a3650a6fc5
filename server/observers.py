"""Who is told how a run goes: the recorder, the progress display, trackers."""

from __future__ import annotations

from typing import Any, Protocol

from common.models.predictor import Predictor

Metrics = dict[str, Any]
"""A round's line in metrics.jsonl."""


class Observer(Protocol):
    """Told of a run's steps as they happen, in the server's thread."""

    def started(self, rounds: int, clients: int, parameters: int) -> None:
        """The federation has agreed; round 0 is next."""

    def round_ended(self, metrics: Metrics) -> None:
        """A round's numbers are known."""

    def happened(self, event: str, round_number: int, details: dict[str, Any]) -> None:
        """Something worth keeping: a retry, an exclusion, a checkpoint."""

    def finished(self, model: Predictor) -> None:
        """The last round is over; `model` is the final global model, taking raw rows."""
