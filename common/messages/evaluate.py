"""Evaluation: models on clients' held-out rows, and the sums that come back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, RecordDict

from common.arrays import Named, pack, unpack
from common.data.agreement import Agreement
from common.messages.agreement import read_agreement, write_agreement
from common.messages.blocks import Blocks
from common.metrics import Sums

EVALUATE = "evaluate"


def evaluate_records(settings: str, agreement: Agreement, parameters: Named) -> dict[str, ArrayRecord | ConfigRecord]:
    """The records that all evaluate messages of a round have in common; `parameters` are (models, *shape)."""
    numbers, words = write_agreement(agreement)
    return {
        "config": ConfigRecord({"settings": settings}),
        "agreement": numbers,
        "agreement.words": words,
        "parameters": pack(parameters),
    }


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
