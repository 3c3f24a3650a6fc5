"""What was agreed, as it travels in train and evaluate messages."""

from __future__ import annotations

import json

from flwr.app import ArrayRecord, ConfigRecord

from common.arrays import pack, unpack
from common.data.agreement import Agreement
from common.data.table import Label


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
