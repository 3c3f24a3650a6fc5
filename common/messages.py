"""The messages between server and clients: what they hold, and how that is written into Flower's records.

| message | the server sends | a host replies |
|---|---|---|
| query.hosting | nothing | which clients it hosts, their rows, what their data is |
| query.moments | clients in blocks | for each block the sums that scaling needs |
| train | weights, settings, clients in blocks | for each block named weighted sums, or rows per client |
| evaluate | one or more models, clients | for each model and client sums over its held-out rows |

A message is made of records. Those that many messages of a round have in common (weights, settings, what was
agreed) are the same Python object in each, so that a grid can ship each once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, RecordDict
from numpy.typing import NDArray

from common.arrays import Named, pack, unpack
from common.data.agreement import Agreement, Moments
from common.data.prepared import Indices, Meta
from common.data.table import Label
from common.metrics import Sums

HOSTING = "query.hosting"
MOMENTS = "query.moments"
TRAIN = "train"
EVALUATE = "evaluate"

_RECORD = "record."
_SUM = "sum."
_ROWS = "rows."


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


def write_moments(moments: list[Moments]) -> RecordDict:
    """The moments of each block, as records."""
    names = ("count", "total", "spread")
    return RecordDict({"moments": pack({name: np.stack([vars(m)[name] for m in moments]) for name in names})})


def read_moments(content: RecordDict) -> list[Moments]:
    """The moments of each block, in the message's order."""
    arrays = unpack(content.array_records["moments"])
    rows = zip(arrays["count"], arrays["total"], arrays["spread"], strict=True)
    return [Moments(count, total, spread) for count, total, spread in rows]


@dataclass
class TrainOrder:
    """What a train message asks: these clients, from these weights, with these settings."""

    round: int
    blocks: Blocks
    settings: str
    """The JSON of `common.settings.ClientSettings`."""
    agreement: Agreement
    parameters: Named
    """Starting weights: (*shape) for all clients, or (clients, *shape) with `per_client`."""
    per_client: bool = False
    records: dict[str, Named] = field(default_factory=dict)
    """Further named arrays for all clients, such as a control variate."""
    values: Named = field(default_factory=dict)
    """Settings that differ between clients, by dotted key, each of shape (clients,)."""

    @classmethod
    def read(cls, content: RecordDict) -> TrainOrder:
        """The order in a message."""
        records = content.array_records
        config = content.config_records["config"]
        return cls(
            round=int(config["round"]),  # type: ignore[arg-type]
            blocks=Blocks.read(records["blocks"]),
            settings=str(config["settings"]),
            agreement=read_agreement(records["agreement"], content.config_records["agreement.words"]),
            parameters=unpack(records["parameters"]),
            per_client=bool(config["per-client"]),
            records={name[len(_RECORD) :]: unpack(records[name]) for name in records if name.startswith(_RECORD)},
            values=unpack(records["values"]),
        )


@dataclass
class TrainReply:
    """What a train message brings back, block by block."""

    blocks: Blocks
    weights: NDArray[np.float64]
    """The total weight behind each block's sums: its clients' training rows, shape (blocks,)."""
    sums: dict[str, Named] = field(default_factory=dict)
    """Named weighted sums over each block's clients: (blocks, *shape)."""
    rows: dict[str, Named] = field(default_factory=dict)
    """Named arrays of each client: (clients, *shape), for strategies that look at each."""
    metrics: Named = field(default_factory=dict)
    """Numbers of each client, each of shape (clients,)."""
    excluded: dict[int, str] = field(default_factory=dict)
    """Clients whose training failed, and why; they are in no sum."""

    def write(self) -> RecordDict:
        """This as records."""
        content = RecordDict(
            {
                "blocks": self.blocks.write(),
                "weights": pack({"weights": self.weights}),
                "metrics": pack(self.metrics),
                "excluded": ConfigRecord({str(client): reason for client, reason in self.excluded.items()}),
            }
        )
        for prefix, groups in ((_SUM, self.sums), (_ROWS, self.rows)):
            for name, arrays in groups.items():
                content[prefix + name] = pack(arrays)
        return content

    @classmethod
    def read(cls, content: RecordDict) -> TrainReply:
        """The reply in a message."""
        records = content.array_records
        return cls(
            blocks=Blocks.read(records["blocks"]),
            weights=unpack(records["weights"])["weights"],
            sums={name[len(_SUM) :]: unpack(records[name]) for name in records if name.startswith(_SUM)},
            rows={name[len(_ROWS) :]: unpack(records[name]) for name in records if name.startswith(_ROWS)},
            metrics=unpack(records["metrics"]),
            excluded={int(client): str(why) for client, why in content.config_records["excluded"].items()},
        )


@dataclass
class EvaluateOrder:
    """What an evaluate message asks: these models on the held-out rows of these clients."""

    blocks: Blocks
    settings: str
    agreement: Agreement
    parameters: Named
    """The models' weights, (models, *shape)."""

    @classmethod
    def read(cls, content: RecordDict) -> EvaluateOrder:
        """The order in a message."""
        records = content.array_records
        return cls(
            blocks=Blocks.read(records["blocks"]),
            settings=str(content.config_records["config"]["settings"]),
            agreement=read_agreement(records["agreement"], content.config_records["agreement.words"]),
            parameters=unpack(records["parameters"]),
        )


def write_scores(scores: list[Sums]) -> RecordDict:
    """Each model's sums over each client's rows, as records."""
    return RecordDict({"scores": pack({name: np.stack([s[name] for s in scores]) for name in scores[0]})})


def read_scores(content: RecordDict) -> list[Sums]:
    """Each model's sums over each client's rows, in the message's order."""
    arrays = unpack(content.array_records["scores"])
    models = len(next(iter(arrays.values())))
    return [{name: array[model] for name, array in arrays.items()} for model in range(models)]


def write_agreement(agreement: Agreement) -> tuple[ArrayRecord, ConfigRecord]:
    """What was agreed, as two records: the numbers and the words."""
    names = ("shift", "scale", "target_shift", "target_scale")
    words = {"task": agreement.task, "row_shape": agreement.row_shape, "labels": agreement.labels}
    return pack({name: vars(agreement)[name] for name in names}), ConfigRecord({"json": json.dumps(words)})


def read_agreement(numbers: ArrayRecord, words: ConfigRecord) -> Agreement:
    """What was agreed, from its two records."""
    rest = json.loads(str(words["json"]))
    labels: tuple[Label, ...] = tuple(rest["labels"])
    return Agreement(rest["task"], tuple(rest["row_shape"]), labels, **unpack(numbers))


def train_records(
    round_number: int, settings: str, agreement: Agreement, parameters: ArrayRecord, records: dict[str, Named]
) -> dict[str, ArrayRecord | ConfigRecord]:
    """The records that all train messages of a round have in common; `parameters` are (*shape), for all clients."""
    numbers, words = write_agreement(agreement)
    return {
        "config": ConfigRecord({"round": round_number, "settings": settings, "per-client": False}),
        "agreement": numbers,
        "agreement.words": words,
        "parameters": parameters,
        **{_RECORD + name: pack(arrays) for name, arrays in records.items()},
    }


def evaluate_records(settings: str, agreement: Agreement, parameters: Named) -> dict[str, ArrayRecord | ConfigRecord]:
    """The records that all evaluate messages of a round have in common; `parameters` are (models, *shape)."""
    numbers, words = write_agreement(agreement)
    return {
        "config": ConfigRecord({"settings": settings}),
        "agreement": numbers,
        "agreement.words": words,
        "parameters": pack(parameters),
    }
