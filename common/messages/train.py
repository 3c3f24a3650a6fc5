"""Training: what the server asks, and what a host replies."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, RecordDict
from numpy.typing import NDArray

from common.arrays import NamedArrays, pack, unpack
from common.data.data_spec import DataSpec
from common.messages.blocks import Blocks
from common.messages.content import Content
from common.messages.data_spec import read_data_spec, write_data_spec
from common.messages.initial_weights import InitialWeights

TRAIN = "train"

VERSIONS = "versions"
"""The record that names, for each client, the version of its state to build on, and the version to write."""
STATE = "state"
"""The record with the clients' states: rows in the order of the message's clients."""

BUFFERS = "buffers"
"""The name of the record, and of the sums, of what networks have besides parameters: running statistics."""
PRIVACY = "privacy"
"""The name of the record that says how clients are to protect their changes: clipping_norm and local_noise, ()."""

_RECORD = "record."
_OWN = "own."
_SUM = "sum."
_ROWS = "rows."
_REPLY = {"blocks", "weights", "metrics", "config", "excluded"}
"""The records that every reply has, beside sums and rows."""


def train_records(
    round_number: int,
    settings: str,
    data_spec: DataSpec,
    parameters: ArrayRecord,
    records: dict[str, NamedArrays],
    widest: int = 0,
) -> dict[str, ArrayRecord | ConfigRecord]:
    """The records that all train messages of a round have in common; `parameters` are (*shape), for all clients."""
    numbers, words = write_data_spec(data_spec)
    return {
        "config": ConfigRecord({"round": round_number, "settings": settings, "widest": widest}),
        "agreement": numbers,
        "agreement.words": words,
        "parameters": parameters,
        **{_RECORD + name: pack(arrays) for name, arrays in records.items()},
    }


def own_records(starts: InitialWeights, values: NamedArrays, own: dict[str, NamedArrays]) -> dict[str, ArrayRecord]:
    """The records of one message's clients, in the message's order.

    `starts` are for some of them, `values` their own settings by dotted key, (clients,), `own` further records of
    theirs, (clients, …).
    """
    return {"values": pack(values), **{_OWN + name: pack(arrays) for name, arrays in own.items()}, **starts.write()}


@dataclass(frozen=True)
class TrainOrder:
    """What a train message asks: these clients, from these weights, with these settings."""

    round: int
    blocks: Blocks
    settings: str
    """The JSON of `common.settings.ClientSettings`."""
    data_spec: DataSpec
    parameters: NamedArrays
    """Starting weights for all clients, (*shape)."""
    starts: InitialWeights = field(default_factory=InitialWeights)
    """What some of them start from in place of these, and of what they kept."""
    records: dict[str, NamedArrays] = field(default_factory=dict)
    """Further named arrays for all clients, such as a control variate."""
    own: dict[str, NamedArrays] = field(default_factory=dict)
    """Further named arrays of each client, (clients, *shape)."""
    values: NamedArrays = field(default_factory=dict)
    """Settings that differ between clients, by dotted key, each of shape (clients,)."""
    state: NamedArrays = field(default_factory=dict)
    """What each client kept from its last round: (clients, *shape), zeros where it has kept nothing yet."""
    fresh: NDArray[np.bool_] | None = None
    """Which clients have kept nothing yet, shape (clients,); None where clients keep nothing at all."""
    widest: int = 0
    """How many clients a stack may have, so that a card's memory holds it; 0 where there is no such limit."""

    @classmethod
    def read(cls, content: RecordDict) -> TrainOrder:
        """The order in a message."""
        records = content.array_records
        config = content.config_records["config"]
        return cls(
            round=int(config["round"]),  # type: ignore[arg-type]
            blocks=Blocks.read(records["blocks"]),
            settings=str(config["settings"]),
            data_spec=read_data_spec(records["agreement"], content.config_records["agreement.words"]),
            parameters=unpack(records["parameters"]),
            starts=InitialWeights.read(content),
            records={name[len(_RECORD) :]: unpack(records[name]) for name in records if name.startswith(_RECORD)},
            own={name[len(_OWN) :]: unpack(records[name]) for name in records if name.startswith(_OWN)},
            values=unpack(records["values"]),
            state=unpack(records[STATE]) if STATE in records else {},
            fresh=unpack(records[VERSIONS])["committed"] == 0 if VERSIONS in records else None,
            widest=int(config["widest"]),  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class TrainReply:
    """What a train message brings back, block by block."""

    blocks: Blocks
    weights: NDArray[np.float64]
    """The total weight behind each block's sums: its clients' training examples, shape (blocks,)."""
    sums: dict[str, NamedArrays] = field(default_factory=dict)
    """Named weighted sums over each block's clients: (blocks, *shape)."""
    rows: dict[str, NamedArrays] = field(default_factory=dict)
    """Named arrays of each client: (clients, *shape), for strategies that look at each."""
    metrics: NamedArrays = field(default_factory=dict)
    """Numbers of each client, each of shape (clients,)."""
    excluded: dict[int, str] = field(default_factory=dict)
    """Clients whose training failed, and why; they are in no sum."""
    state: NamedArrays | None = None
    """What each client keeps for its next round: (clients, *shape). Stays with the grid or the host; None where
    clients keep nothing at all."""
    round: int = 0
    """The round that it answers."""
    too_wide: int = 0
    """How many clients were in a stack that a card's memory did not hold; the reply has nothing else then."""

    def write(self) -> RecordDict:
        """This as records."""
        records: dict[str, ArrayRecord | ConfigRecord] = {
            "blocks": self.blocks.write(),
            "weights": pack({"weights": self.weights}),
            "metrics": pack(self.metrics),
            "config": ConfigRecord({"round": self.round, "too_wide": self.too_wide}),
            "excluded": ConfigRecord({str(client): reason for client, reason in self.excluded.items()}),
        }
        if self.state is not None:
            records[STATE] = pack(self.state)
        for prefix, groups in ((_SUM, self.sums), (_ROWS, self.rows)):
            records |= {prefix + name: pack(arrays) for name, arrays in groups.items()}
        return Content(records)

    @classmethod
    def read(cls, content: RecordDict) -> TrainReply:
        """The reply in a message. Raises ValueError where it has records that no reply has."""
        records = content.array_records
        for name in content:
            if name not in _REPLY and not name.startswith((_SUM, _ROWS)):
                raise ValueError(f"it has a record {name!r}")
        return cls(
            blocks=Blocks.read(records["blocks"]),
            weights=unpack(records["weights"])["weights"],
            sums={name[len(_SUM) :]: unpack(records[name]) for name in records if name.startswith(_SUM)},
            rows={name[len(_ROWS) :]: unpack(records[name]) for name in records if name.startswith(_ROWS)},
            metrics=unpack(records["metrics"]),
            excluded={int(client): str(why) for client, why in content.config_records["excluded"].items()},
            round=int(content.config_records["config"]["round"]),  # type: ignore[arg-type]
            too_wide=int(content.config_records["config"]["too_wide"]),  # type: ignore[arg-type]
        )
