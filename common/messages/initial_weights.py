"""Weights that some clients continue with in place of what all are sent and of what they kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from flwr.app import ArrayRecord, RecordDict

from common.arrays import NamedArrays, pack, unpack
from common.data.prepared import Indices

_WHO, _WEIGHTS = "starting", "starts"


@dataclass(frozen=True)
class InitialWeights:
    """Some clients' own starts; of nobody where nothing is given."""

    places: Indices = field(default_factory=lambda: np.empty(0, np.int64))
    """Who they are: their places among all clients that are spoken of, ascending."""
    weights: NamedArrays = field(default_factory=dict)
    """Parameters and buffers, (places, *shape)."""

    def among(self, places: Indices) -> InitialWeights:
        """Those of the clients at `places` of all, each at its place among these."""
        if not len(self.places):
            return self
        rows = np.searchsorted(self.places, places).clip(max=len(self.places) - 1)
        there = self.places[rows] == places
        if not there.any():
            return InitialWeights()
        return InitialWeights(np.flatnonzero(there), {name: array[rows[there]] for name, array in self.weights.items()})

    def write(self) -> dict[str, ArrayRecord]:
        """This as records of a message."""
        if not len(self.places):
            return {}
        return {_WHO: pack({"places": self.places}), _WEIGHTS: pack(self.weights)}

    @classmethod
    def read(cls, content: RecordDict) -> InitialWeights:
        """What a message says."""
        records = content.array_records
        return cls(unpack(records[_WHO])["places"], unpack(records[_WEIGHTS])) if _WHO in records else cls()
