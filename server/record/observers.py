"""Who is told how a run goes: the recorder, the chronicle, the progress display, trackers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from common.data.data_spec import DataSpec
from common.data.prepared import Indices
from common.extend.leaderboard import Leaderboard
from common.run_files import Metrics
from server.events import WorkerEvent

if TYPE_CHECKING:
    from common.models.predictor import Predictor
    from server.exchange.federation import Federation


@dataclass(frozen=True)
class RoundReport:
    """A round, client by client."""

    round: int
    clients: Indices
    """The ids of the clients whose training counts, in cohort order."""
    train_loss: NDArray[np.float64]
    """Their mean losses in training, (clients,)."""
    holders: Indices
    """The ids of the clients that were measured on their held-out rows; none where the round was not."""
    holdout: dict[str, NDArray[np.float64]]
    """The global model's metrics on each holder's rows, each of shape (holders,)."""
    personal: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """Those of each holder's own model, where clients come to models of their own."""


class Observer:
    """Told of a run's steps as they happen, in the server's thread; it listens to what it overrides."""

    def opened(self, folder: Path) -> None:
        """The run's folder is there, empty unless the run is resumed. Told by the launcher, before all else."""

    def started(self, rounds: int, clients: int, parameters: int) -> None:
        """The federation has agreed; round 0 is next."""

    def agreed(self, federation: Federation, data_spec: DataSpec) -> None:
        """Who takes part, and on what they agreed; told right after `started`."""

    def settled(self, facts: dict[str, str]) -> None:
        """What the scenario left to be chosen, by name, as it was chosen; told right after `agreed`."""

    def round_started(self, round_number: int, cohort: Indices) -> None:
        """These clients are about to train."""

    def worked(self, work: WorkerEvent) -> None:
        """A worker took up a message, or is done with one."""

    def called(self, roll: RoundReport) -> None:
        """What became of each client is known; told before the round is saved in a checkpoint."""

    def ranked(self, round_number: int, ladder: Leaderboard) -> None:
        """Networks competed; told before the round is saved in a checkpoint."""

    def round_ended(self, metrics: Metrics) -> None:
        """A round's numbers are known."""

    def happened(self, event: str, round_number: int, details: dict[str, Any]) -> None:
        """Something worth keeping: a retry, an exclusion, a checkpoint."""

    def finished(self, model: Predictor) -> None:
        """The last round is over; `model` is the final global model, taking raw rows."""
