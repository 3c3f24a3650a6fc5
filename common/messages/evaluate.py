"""Evaluation: models on clients' own examples, and the sums that come back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, RecordDict
from numpy.typing import NDArray

from common.arrays import NamedArrays, pack, unpack
from common.data.data_spec import DataSpec
from common.messages.blocks import Blocks
from common.messages.content import Content
from common.messages.data_spec import read_data_spec, write_data_spec
from common.messages.initial_weights import InitialWeights
from common.messages.train import STATE, VERSIONS
from common.metrics import Sums

EVALUATE = "evaluate"

Split = Literal["holdout", "training"]
"""Split of its examples a client measures models on."""


def evaluate_records(
    settings: str, data_spec: DataSpec, parameters: NamedArrays, personal: bool = False, split: Split = "holdout"
) -> dict[str, ArrayRecord | ConfigRecord]:
    """The records that all evaluate messages of a round have in common; `parameters` are (models, *shape).

    With `personal`, the first of the models is the global one, and each client's own is to be measured too.
    """
    numbers, words = write_data_spec(data_spec)
    return {
        "config": ConfigRecord({"settings": settings, "personal": personal, "split": split}),
        "agreement": numbers,
        "agreement.words": words,
        "parameters": pack(parameters),
    }


@dataclass(frozen=True)
class EvaluateOrder:
    """What an evaluate message asks: these models on the examples of these clients."""

    blocks: Blocks
    settings: str
    data_spec: DataSpec
    parameters: NamedArrays
    """The models' weights, (models, *shape)."""
    split: Split = "holdout"
    personal: bool = False
    """Whether to measure the global model, the first of `parameters`, and after it each client's own."""
    state: NamedArrays = field(default_factory=dict)
    """What each client has kept: (clients, *shape), zeros where it has kept nothing yet."""
    fresh: NDArray[np.bool_] | None = None
    """Split clients have kept nothing yet, shape (clients,); None where it does not matter."""
    starts: InitialWeights = field(default_factory=InitialWeights)
    """The own models of some clients, in place of what they kept."""

    @classmethod
    def read(cls, content: RecordDict) -> EvaluateOrder:
        """The order in a message."""
        records, config = content.array_records, content.config_records["config"]
        return cls(
            blocks=Blocks.read(records["blocks"]),
            settings=str(config["settings"]),
            data_spec=read_data_spec(records["agreement"], content.config_records["agreement.words"]),
            parameters=unpack(records["parameters"]),
            split=cast(Split, config["split"]),
            personal=bool(config["personal"]),
            state=unpack(records[STATE]) if STATE in records else {},
            fresh=unpack(records[VERSIONS])["committed"] == 0 if VERSIONS in records else None,
            starts=InitialWeights.read(content),
        )


def write_scores(scores: list[Sums]) -> RecordDict:
    """Each model's sums over each client's examples, as records."""
    return Content({"scores": pack({name: np.stack([s[name] for s in scores]) for name in scores[0]})})


def read_scores(content: RecordDict) -> list[Sums]:
    """Each model's sums over each client's examples, in the message's order."""
    arrays = unpack(content.array_records["scores"])
    models = len(next(iter(arrays.values())))
    return [{name: array[model] for name, array in arrays.items()} for model in range(models)]
