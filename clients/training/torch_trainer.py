"""PyTorch's trainer: one tensor operation for all clients of a stack."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.training.client_training import ClientTraining
from clients.training.local_training import StackTraining
from clients.training.trainer import Stack, train_stack
from clients.training.widths import stack_width, width_on_card, width_one_by_one
from common.data.prepared import Indices
from common.devices import CPU

_PIECE = 1 << 15
"""Numbers that are added at once: a product of them stays in a core's cache."""


class TorchTrainer(ClientTraining):
    """Trains stacks of clients with PyTorch."""

    def cut(self, blocks: list[slice]) -> Iterator[Indices]:
        """The places of the clients to train at once, in stacks within each block."""
        width, widest = self._width(), self._order.widest
        width = min(width, widest) if widest else width
        for block in blocks:
            for first in range(block.start, block.stop, width):
                yield np.arange(first, min(first + width, block.stop))

    def _width(self) -> int:
        """How many clients are trained at once."""
        training, network = self._job.training, self._basis.network
        if training.stack is not None:
            return training.stack
        if not network.stacks:
            return width_one_by_one(network, training)
        if self._basis.device == CPU:
            return stack_width(self._job.layout.size)
        largest = int(self._job.prepared.training_sizes.max())
        return width_on_card(network, training, self._basis.examples.features, largest)

    def add(self, totals: Tensor, flat: Tensor, weights: NDArray[np.float64], owners: Indices) -> None:
        """totals[owners] += weights·flat, in place: totals (any, numbers), the others an entry per client.

        Owners are ascending.
        """
        own = torch.from_numpy(weights).to(self._job.dtype)
        for owner in np.unique(owners).tolist():
            first, end = np.searchsorted(owners, [owner, owner + 1])
            if end > first + 1:
                totals[owner] += own[first:end] @ flat[first:end]
                continue
            # A product of matrices takes several times as long for a single row, and rounds it alike.
            for total, row in zip(torch.split(totals[owner], _PIECE), torch.split(flat[first], _PIECE), strict=True):
                total += own[first] * row

    def take_steps(self, stack: Stack, course: StackTraining) -> tuple[NDArray[np.float64], Indices]:
        """Train a stack in place: each client's mean batch loss, and the steps behind its weights, (stack,)."""
        losses = train_stack(stack, course.batches()).double().cpu().numpy()
        if stack.stopping is None:
            return losses / course.counts, course.counts
        steps = stack.stopping.end(stack.carried, course.counts)
        return losses / stack.stopping.steps_taken(course.counts), steps
