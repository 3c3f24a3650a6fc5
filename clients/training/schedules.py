"""Learning rates over rounds and steps."""

from __future__ import annotations

import numpy as np
import torch

from common.data.prepared import Indices
from common.devices import CPU, to_device
from common.scenario.training import Training
from common.stacks import Number


class LearningRates:
    """The learning rate of each step of a round."""

    def __init__(
        self,
        training: Training,
        round_number: int,
        rounds: int,
        counts: Indices,
        dtype: torch.dtype,
        device: torch.device = CPU,
    ) -> None:
        """`counts` are the steps that each client of the stack takes, (stack,)."""
        base: Number = training.optimizer.lr
        for spec in training.schedule:
            if spec.by == "round":
                length = np.array([getattr(spec, "length", None) or rounds])
                base = base * float(spec.at(round_number - 1, length)[0])
        self._base, self._dtype, self._device = base, dtype, device
        self._by_step = [
            (spec, counts if getattr(spec, "length", 1) is None else np.array([getattr(spec, "length", 1)]))
            for spec in training.schedule
            if spec.by == "step"
        ]

    def __call__(self, step: int) -> Number:
        """The rate of step 0, 1, … of the round: one for all clients, or each one's, (stack,)."""
        rate = self._base
        for spec, length in self._by_step:
            factor = spec.at(step, length)
            if len(factor) == 1:
                rate = rate * float(factor[0])
            else:
                rate = rate * to_device(torch.from_numpy(factor).to(self._dtype), self._device)
        return rate
