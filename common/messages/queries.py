"""Queries: what a host has, and the sums and counts that preprocessing needs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from flwr.app import ConfigRecord, RecordDict
from numpy.typing import NDArray

from common.arrays import pack, unpack
from common.data.moments import Moments
from common.data.prepared import Indices, Meta
from common.messages.content import Content, MessageRecords
from common.scenario.uses import Use

HOSTING = "query.hosting"
MOMENTS = "query.moments"
TERMS = "query.terms"
DIGITS = "query.digits"
LABELS = "query.labels"
STATISTICS = "query.statistics"
STATES = "query.states"
RESTORE = "query.restore"

DATA = "data"
"""The record that names the prepared data; for hosts that have no folder of their own, but share the server's cache."""


USES = "uses"
"""The record of what a scenario uses, in `query.hosting` and its answer."""


DEVICE = "device"
"""The record of where clients are to be trained, in `query.hosting`."""


def write_device(device: str) -> ConfigRecord:
    """A scenario's `training.device` as a record."""
    return ConfigRecord({"device": device})


def asks_for_card(content: RecordDict) -> bool:
    """Whether a message asks which card there is; looking for one takes memory of it."""
    return DEVICE in content.config_records and content.config_records[DEVICE]["device"] != "cpu"


def write_data(key: str) -> ConfigRecord:
    """The key of prepared data as a record."""
    return ConfigRecord({"key": key})


def write_uses(uses: Iterable[Use]) -> ConfigRecord:
    """What a scenario uses, by name and SHA-256, as a record."""
    return ConfigRecord({"names": [use.name for use in uses], "sha256": [str(use.sha256) for use in uses]})


def read_uses(content: RecordDict) -> list[Use]:
    """What a scenario uses, in a message. Raises ValueError for what is no name or no SHA-256."""
    record = content.config_records[USES]
    pairs = zip(cast(list[str], record["names"]), cast(list[str], record["sha256"]), strict=True)
    return [Use.model_validate({"source": name, "sha256": sha256}) for name, sha256 in pairs]


def read_data(content: RecordDict) -> str:
    """The key of prepared data in a message; empty where there is none."""
    return str(content.config_records[DATA]["key"]) if DATA in content.config_records else ""


@dataclass(frozen=True)
class Hosting:
    """What a host has: its clients, and what their examples are."""

    clients: Indices
    training_sizes: Indices
    holdout_sizes: Indices
    meta: Meta
    compiled: bool = False
    """Whether it has the compiled trainer."""
    card: str = ""
    """The card that its workers train on, with the versions of its libraries; empty where there is none."""
    uses: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of what it has of what was asked for, by name; empty where it has nothing of that name."""

    def write(self) -> RecordDict:
        """This as records."""
        arrays = {"clients": self.clients, "training": self.training_sizes, "holdout": self.holdout_sizes}
        return Content(
            {
                "arrays": pack(arrays),
                "meta": ConfigRecord({"json": self.meta.to_json(), "compiled": self.compiled, "card": self.card}),
                USES: ConfigRecord({"names": list(self.uses), "sha256": list(self.uses.values())}),
            }
        )

    @classmethod
    def read(cls, content: RecordDict) -> Hosting:
        """The hosting in a reply."""
        arrays = unpack(content.array_records["arrays"])
        about = content.config_records["meta"]
        uses = content.config_records[USES]
        found = dict(zip(cast(list[str], uses["names"]), cast(list[str], uses["sha256"]), strict=True))
        return cls(
            arrays["clients"],
            arrays["training"],
            arrays["holdout"],
            Meta.from_json(str(about["json"])),
            bool(about["compiled"]),
            str(about["card"])[:200],
            found,
        )


def write_moments(moments: list[Moments]) -> RecordDict:
    """The moments of each block, as records."""
    names = ("rows", "count", "total", "spread")
    return Content({"moments": pack({name: np.stack([vars(m)[name] for m in moments]) for name in names})})


def read_moments(content: RecordDict) -> list[Moments]:
    """The moments of each block, in the message's order."""
    arrays = unpack(content.array_records["moments"])
    columns = (arrays[name] for name in ("rows", "count", "total", "spread"))
    return [Moments(*part) for part in zip(*columns, strict=True)]


@dataclass(frozen=True)
class DigitsOrder:
    """Which numbers are to be counted: see `common.data.median`."""

    columns: Indices
    prefixes: NDArray[np.uint64]
    known: int

    def write(self) -> MessageRecords:
        """This as records."""
        # As signed numbers, which every array format knows.
        arrays = {"columns": self.columns, "prefixes": self.prefixes.view(np.int64)}
        return {"digits": pack(arrays), "known": ConfigRecord({"known": self.known})}

    @classmethod
    def read(cls, content: RecordDict) -> DigitsOrder:
        """The order in a message."""
        arrays = unpack(content.array_records["digits"])
        known = int(str(content.config_records["known"]["known"]))
        return cls(arrays["columns"], arrays["prefixes"].view(np.uint64), known)


def write_digits(counted: NDArray[np.int64]) -> RecordDict:
    """Counts by the next digit, as records."""
    return Content({"counts": pack({"counts": counted})})


def read_digits(content: RecordDict) -> NDArray[np.int64]:
    """The counts in a reply."""
    return unpack(content.array_records["counts"])["counts"]


def write_terms(terms: list[Counter[str]]) -> RecordDict:
    """In how many texts each term occurs, block by block, as records."""
    return Content({"terms": ConfigRecord({"json": json.dumps(terms)})})


def read_terms(content: RecordDict) -> list[dict[str, int]]:
    """The terms of each block, in the message's order."""
    terms: list[dict[str, int]] = json.loads(str(content.config_records["terms"]["json"]))
    return terms
