"""Queries: what a host has, and the sums that preprocessing needs."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from flwr.app import ConfigRecord, RecordDict

from common.arrays import pack, unpack
from common.data.agreement import Moments
from common.data.prepared import Indices, Meta

HOSTING = "query.hosting"
MOMENTS = "query.moments"


@dataclass(frozen=True)
class Hosting:
    """What a host has: its clients, and what their rows are."""

    clients: Indices
    training_sizes: Indices
    holdout_sizes: Indices
    meta: Meta

    def write(self) -> RecordDict:
        """This as records."""
        arrays = {"clients": self.clients, "training": self.training_sizes, "holdout": self.holdout_sizes}
        return RecordDict({"arrays": pack(arrays), "meta": ConfigRecord({"json": json.dumps(vars(self.meta))})})

    @classmethod
    def read(cls, content: RecordDict) -> Hosting:
        """The hosting in a reply."""
        arrays = unpack(content.array_records["arrays"])
        meta = Meta(**json.loads(str(content.config_records["meta"]["json"])))
        return cls(arrays["clients"], arrays["training"], arrays["holdout"], meta)


def write_moments(moments: list[Moments]) -> RecordDict:
    """The moments of each block, as records."""
    names = ("count", "total", "spread")
    return RecordDict({"moments": pack({name: np.stack([vars(m)[name] for m in moments]) for name in names})})


def read_moments(content: RecordDict) -> list[Moments]:
    """The moments of each block, in the message's order."""
    arrays = unpack(content.array_records["moments"])
    rows = zip(arrays["count"], arrays["total"], arrays["spread"], strict=True)
    return [Moments(count, total, spread) for count, total, spread in rows]
