"""Learning rates over rounds and steps: for each `training.schedule` its factor."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clients.values import Values
from common.data.prepared import Indices
from common.extend.client import Number
from common.scenario.registry import implementation
from common.scenario.training import Training

Lengths = NDArray[np.int64]
"""How long a schedule is for each client, (clients,), or for all, (1,)."""

Factor = Callable[[Any, int, Lengths], NDArray[np.float64]]
"""(options, t = 0, 1, …, length) → what multiplies the rate, in the shape of the length."""


def _fraction(t: int, length: Lengths) -> NDArray[np.float64]:
    return np.minimum(t / length, 1.0)


def constant(spec: Any, t: int, length: Lengths) -> NDArray[np.float64]:
    """1."""
    return np.ones(len(length))


def step(spec: Any, t: int, length: Lengths) -> NDArray[np.float64]:
    """factor^⌊t / every⌋."""
    return np.full(len(length), spec.factor ** (t // spec.every))


def exponential(spec: Any, t: int, length: Lengths) -> NDArray[np.float64]:
    """factor^t."""
    return np.full(len(length), spec.factor**t)


def cosine(spec: Any, t: int, length: Lengths) -> NDArray[np.float64]:
    """final + (1 − final)·½(1 + cos(π·t/length)) (Loshchilov and Hutter 2017, equation 5)."""
    shares: NDArray[np.float64] = spec.final + (1 - spec.final) * (1 + np.cos(math.pi * _fraction(t, length))) / 2
    return shares


def linear(spec: Any, t: int, length: Lengths) -> NDArray[np.float64]:
    """From 1 straight to final."""
    shares: NDArray[np.float64] = 1 + (spec.final - 1) * _fraction(t, length)
    return shares


def warmup(spec: Any, t: int, length: Lengths) -> NDArray[np.float64]:
    """From start straight to 1."""
    shares: NDArray[np.float64] = spec.start + (1 - spec.start) * _fraction(t, length)
    return shares


def inverse_sqrt(spec: Any, t: int, length: Lengths) -> NDArray[np.float64]:
    """√(offset / (offset + t))."""
    return np.full(len(length), math.sqrt(spec.offset / (spec.offset + t)))


class LearningRates:
    """The learning rate of each step of a round."""

    def __init__(
        self, training: Training, values: Values, round_number: int, rounds: int, counts: Indices, dtype: torch.dtype
    ) -> None:
        """`counts` are the steps that each client of the stack takes, (stack,)."""
        base: Number = values["optimizer.lr"]
        for spec in training.schedule:
            if spec.by == "round":
                length = np.array([getattr(spec, "length", None) or rounds])
                base = base * float(implementation(spec)(spec, round_number - 1, length)[0])
        self._base, self._dtype = base, dtype
        self._by_step = [
            (spec, counts if getattr(spec, "length", 1) is None else np.array([getattr(spec, "length", 1)]))
            for spec in training.schedule
            if spec.by == "step"
        ]

    def __call__(self, step: int) -> Number:
        """The rate of step 0, 1, … of the round: one for all clients, or each one's, (stack,)."""
        rate = self._base
        for spec, length in self._by_step:
            factor = implementation(spec)(spec, step, length)
            rate = rate * (float(factor[0]) if len(factor) == 1 else torch.from_numpy(factor).to(self._dtype))
        return rate
