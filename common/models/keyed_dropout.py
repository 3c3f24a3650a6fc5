"""Dropout whose masks follow from a client's stream, in the place of PyTorch's."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
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
        self._streams: seeds.Streams | None = None
        self._lanes: dict[int, NDArray[np.uint16]] = {}
        """What was drawn from all streams for each call in a pass, (streams, at least so many numbers)."""
        self._place, self._keyed, self._calls = 0, False, 0

    def begin(self, streams: seeds.Streams | None, place: int = 0) -> None:
        """Draw from the stream at a place among those of a stack; from none nothing is dropped."""
        if streams is not self._streams:
            self._streams, self._lanes = streams, {}
        self._place, self._keyed, self._calls = place, True, 0

    def end(self) -> None:
        """Draw from PyTorch's global generator again, as in a client's own loop."""
        self._keyed = False

    def forward(self, x: Tensor) -> Tensor:
        """x with some dropped and the others scaled up."""
        if not self.training or not self.p or (self._keyed and self._streams is None):
            return x
        shape = x.shape[: x.dim() - self._whole]
        if not self._keyed:
            mask = F.dropout(x.new_ones(shape), self.p)
        else:
            kept = torch.from_numpy(self._drawn(math.prod(shape)) >= np.round(self.p * 65536)).view(shape)
            mask = to_device_of(kept, x).to(x.dtype).mul_(1 / (1 - self.p)) if self.p < 1 else x.new_zeros(shape)
        return x * mask.view(*shape, *[1] * self._whole)

    def _drawn(self, count: int) -> NDArray[np.uint16]:
        """The first numbers of its stream for this call; drawn for a whole stack at once, which takes no longer."""
        assert self._streams is not None
        found = self._lanes.get(self._calls)
        if found is None or found.shape[1] < count:
            streams = seeds.fork(seeds.fork(self._streams, self._number), self._calls)
            found = seeds.bits(streams, -(-count // 4)).astype("<u8", copy=False).view("<u2")
            self._lanes[self._calls] = found
        self._calls += 1
        return found[self._place, :count]
