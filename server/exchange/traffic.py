"""What a round would send were every client a device of its own."""

from __future__ import annotations

from dataclasses import dataclass

from common.arrays import numbers
from common.run_files import Metrics
from server.exchange.assignment import Assignment, RoundResults


@dataclass
class Traffic:
    """The bytes of messages beside those of training: judging, losses, statistics, evaluation."""

    down: int = 0
    up: int = 0

    def take(self) -> Traffic:
        """What was counted since this was asked last."""
        taken = Traffic(self.down, self.up)
        self.down = self.up = 0
        return taken


def traffic(kept: set[str], assignment: Assignment, trained: RoundResults) -> Metrics:
    """Who took part in training, and the bytes down to the cohort's clients and up from those who took part.

    `kept` are the names of the arrays that clients have to themselves.
    """
    instructions, starts, cohort = assignment.instructions, assignment.starts, len(assignment.cohort)
    if not trained.results:
        return {"clients": 0, "bytes_down": 0, "bytes_up": 0}
    sent = (*(() if assignment.known else (assignment.parameters,)), *instructions.records.values())
    down = sum(numbers({name: arrays[name] for name in arrays.keys() - kept}) for arrays in sent)
    down += sum(numbers(arrays) // cohort for arrays in (instructions.values, *instructions.own.values()))
    result = trained.results[0]
    # Where the server sees each client's weights, these are what the client sends, and not its part of a sum as well.
    up = sum(numbers(arrays) for kind, arrays in result.sums.items() if kind not in result.rows)
    up += sum(numbers(arrays) // len(result.block.clients) for arrays in result.rows.values())
    return {
        "clients": len(trained.clients),
        "train_loss": trained.loss,
        "bytes_down": down * cohort + numbers(starts.weights),
        "bytes_up": up * len(trained.clients),
    }
