"""Which clients a message is about, in blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flwr.app import ArrayRecord

from common.arrays import pack, unpack
from common.data.prepared import Indices


@dataclass(frozen=True)
class Blocks:
    """Clients in blocks: the first `sizes[0]` of `clients` are the first block, and so on."""

    clients: Indices
    sizes: Indices

    def write(self) -> ArrayRecord:
        """This as a record."""
        return pack({"clients": self.clients, "sizes": self.sizes})

    @classmethod
    def read(cls, record: ArrayRecord) -> Blocks:
        """The blocks in a record."""
        arrays = unpack(record)
        return cls(arrays["clients"], arrays["sizes"])

    def slices(self) -> list[slice]:
        """Where each block's clients stand in `clients`."""
        ends = np.cumsum(self.sizes)
        return [slice(int(end - size), int(end)) for end, size in zip(ends, self.sizes, strict=True)]
