"""Dropout whose masks follow from a client's stream, in the place of PyTorch's."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common import seeds
from common.devices import to_device_of

DIMENSIONS = {nn.Dropout: 0, nn.Dropout1d: 1, nn.Dropout2d: 2, nn.Dropout3d: 3}
"""How many of the last dimensions each drops as a whole."""


class KeyedDropout(nn.Module):
    """Dropout whose masks follow from a client's stream, wherever the client is trained."""

    def __init__(self, p: float, whole: int, number: int) -> None:
        super().__init__()
        self.p, self._whole, self._number = p, whole, number
        self._stream: seeds.Streams | None = None
        self._keyed, self._calls = False, 0

    def begin(self, stream: seeds.Streams | None) -> None:
        """Draw from a stream; from none nothing is dropped."""
        self._stream, self._keyed, self._calls = stream, True, 0

    def end(self) -> None:
        """Draw from PyTorch's global generator again, as in a client's own loop."""
        self._keyed = False

    def forward(self, x: Tensor) -> Tensor:
        """x with some dropped and the others scaled up."""
        if not self.training or not self.p or (self._keyed and self._stream is None):
            return x
        shape = x.shape[: x.dim() - self._whole]
        if not self._keyed or self._stream is None:
            mask = F.dropout(x.new_ones(shape), self.p)
        else:
            own = seeds.fork(seeds.fork(self._stream, self._number), self._calls)
            self._calls += 1
            count = math.prod(shape)
            lanes = seeds.bits(own, -(-count // 4)).astype("<u8", copy=False).view("<u2")[0, :count]
            kept = torch.from_numpy(lanes >= np.round(self.p * 65536)).view(shape)
            mask = to_device_of(kept, x).to(x.dtype).mul_(1 / (1 - self.p)) if self.p < 1 else x.new_zeros(shape)
        return x * mask.view(*shape, *[1] * self._whole)
