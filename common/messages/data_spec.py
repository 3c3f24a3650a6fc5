"""What was agreed, as it travels in train and evaluate messages."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord

from common.arrays import pack, unpack
from common.data.data_spec import DataSpec


@lru_cache(maxsize=4)
def write_data_spec(data_spec: DataSpec) -> tuple[ArrayRecord, ConfigRecord]:
    """What was agreed, as two records: the numbers and the words. The same agreement is the same records."""
    return pack(data_spec.arrays()), ConfigRecord({"json": json.dumps(data_spec.words())})


def read_data_spec(numbers: ArrayRecord, words: ConfigRecord) -> DataSpec:
    """What was agreed, from its two records. Records that say the same give the same agreement."""
    arrays = unpack(numbers)
    return _agreement(str(words["json"]), tuple((name, array.tobytes()) for name, array in arrays.items()))


@lru_cache(maxsize=4)
def _agreement(words: str, arrays: tuple[tuple[str, bytes], ...]) -> DataSpec:
    return DataSpec.of(json.loads(words), {name: np.frombuffer(array, np.float64) for name, array in arrays})
