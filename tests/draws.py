"""What a client draws in a step, one number after the other, as the definitions in `clients` say it."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import beta
from torch import Tensor

from common import seeds
from common.scenario import Scenario


class Draws:
    """The masks and mixtures of one client in one round of a scenario."""

    def __init__(self, chosen: Scenario, round_number: int, client: int) -> None:
        self._chosen, self._round, self._client = chosen, round_number, np.array([client])
        self.step = 0

    def units(self, x: Tensor, layer: int) -> Tensor:
        """Dropout of the inputs (layer 0) or of what follows hidden layer 1, 2, …: rows (rows, units)."""
        rate = (self._chosen.model.input_dropout, *self._chosen.model.dropouts)[layer]
        return x * self._mask("dropout", layer, x, rate)

    def connections(self, weight: Tensor, layer: int) -> Tensor:
        """A dense layer's weights (units, inputs), some of them dropped; layers count from 0."""
        return weight * self._mask("drop connect", layer, weight, self._chosen.model.drop_connect)

    def mixture(self, rows: int) -> tuple[float, list[int]]:
        """λ and each row's partner."""
        stream = seeds.fork(self._stream("mixup"), self.step)
        alpha = self._chosen.training.mixup
        share = beta(alpha, alpha).ppf(seeds.uniforms(stream, 1)[0, 0])
        drawn = seeds.bits(seeds.fork(stream, 0), rows)[0].tolist()
        return float(share), sorted(range(rows), key=lambda row: drawn[row] >> 1)

    def _stream(self, purpose: str) -> seeds.Streams:
        return seeds.streams(self._chosen.seed, purpose, self._round, self._client)

    def _mask(self, purpose: str, layer: int, like: Tensor, rate: float) -> Tensor:
        if rate == 0:
            return torch.ones_like(like)
        stream = seeds.fork(seeds.fork(self._stream(purpose), layer), self.step)
        rows, width = like.shape
        values = iter(seeds.bits(stream, rows * -(-width // 4))[0].tolist())
        mask = torch.zeros_like(like)
        for row in range(rows):
            lanes: list[int] = []
            while len(lanes) < width:
                value = next(values)
                lanes += [(value >> shift) & 0xFFFF for shift in (0, 16, 32, 48)]
            for column in range(width):
                mask[row, column] = 0.0 if lanes[column] < round(rate * 65536) else 1 / (1 - rate)
        return mask
