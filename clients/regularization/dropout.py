"""Dropout: which units and weights are dropped, keyed by seed, round and client."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from clients.batches import Batch
from common import seeds
from common.data.prepared import Indices
from common.devices import to_device_of
from common.scenario.model import MLPModel, ModelPart


class Noise:
    """Draws the masks of a stack, step by step.

    A row of n units is drawn from ⌈n/4⌉ values of the client's stream for the layer and step: each of 64 bits
    gives four numbers of 16 bits, the lowest first, and what lies below p·2¹⁶ is dropped. The rows of a batch or of
    a weight matrix are drawn one after the other, each from a new value. For units layer 0 are the inputs. So
    every client's masks are its own, whoever it is stacked with.
    """

    def __init__(self, model: ModelPart, seed: int, round_number: int, clients: Indices) -> None:
        # An own network's random layers draw from `streams` in ways of their own.
        self._rates: tuple[float, ...] = ()
        self._weights = 0.0
        if isinstance(model, MLPModel):
            self._rates, self._weights = (model.input_dropout, *model.dropouts), model.drop_connect
        self._units = seeds.streams(seed, "dropout", round_number, clients)
        self._connections = seeds.streams(seed, "drop connect", round_number, clients)
        self._step = 0
        self.shares, self.counts = torch.empty(0), np.empty(0, np.int64)

    def begin(self, batch: Batch) -> Noise:
        """Go on to a batch."""
        self._step, self.shares, self.counts = batch.step, batch.shares, batch.counts
        return self

    def drop_units(self, layer: int, x: Tensor) -> Tensor:
        """Units (active, examples, units) with some dropped and the others scaled up; layer −1 are the inputs."""
        rate = self._rates[layer + 1] if layer + 1 < len(self._rates) else 0.0
        if not rate:
            return x
        keys = self._at(self._units[: len(x)], layer + 1)
        return x * self._mask(keys, x, rate)

    def drop_weights(self, layer: int, weight: Tensor) -> Tensor:
        """A dense layer's weights (active, units, inputs) with some dropped and the others scaled up."""
        if not self._weights:
            return weight
        keys = self._at(self._connections[: len(weight)], layer)
        return weight * self._mask(keys, weight, self._weights)

    def streams(self) -> seeds.Streams:
        """What each network draws from in this step, (active,)."""
        return seeds.fork(self._units[: len(self.shares)], self._step)

    def _at(self, keys: seeds.Streams, layer: int) -> seeds.Streams:
        return seeds.fork(seeds.fork(keys, layer), self._step)

    @staticmethod
    def _mask(keys: seeds.Streams, like: Tensor, rate: float) -> Tensor:
        """0 or 1/(1 − rate), in the shape of `like` (clients, rows, width) and where it is."""
        _, rows, width = like.shape
        each = -(-width // 4)
        lanes = seeds.bits(keys, rows * each).astype("<u8", copy=False).view("<u2")
        kept = lanes.reshape(len(keys), rows, each * 4)[:, :, :width] >= round(rate * 65536)
        return to_device_of(torch.from_numpy(kept), like).to(like.dtype).mul_(1 / (1 - rate))
