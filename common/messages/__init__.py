"""The messages between server and clients: what they hold, and how that is written into Flower's records.

| message | the server sends | a host replies |
|---|---|---|
| query.hosting | nothing | which clients it hosts, their examples, what their data is |
| query.moments | clients in blocks | for each block the sums that scaling needs |
| query.digits | columns, digits known, clients in blocks | how many of all their numbers go on with which digit |
| query.labels | clients in blocks | for each block how many training examples each label has |
| query.terms | clients in blocks | for each block in how many texts each term occurs |
| query.statistics | weights, a layer, clients in blocks | for each block the sums behind its batch normalization |
| query.states | clients in blocks, versions | what each keeps for its next round |
| query.restore | clients in blocks, versions, states | nothing; they are kept again |
| train | weights, settings, clients in blocks | for each block named weighted sums, or rows per client |
| evaluate | one or more models, clients | for each model and client sums over its own examples |

A message is made of records. Those that many messages of a round have in common (weights, settings, what was
agreed) are the same Python object in each, so that a grid can ship each once.
"""

from __future__ import annotations

from common.messages.blocks import Blocks
from common.messages.content import Content, MessageRecords
from common.messages.evaluate import EVALUATE, EvaluateOrder, evaluate_records, read_scores, write_scores
from common.messages.initial_weights import InitialWeights
from common.messages.queries import (
    DATA,
    DEVICE,
    DIGITS,
    HOSTING,
    LABELS,
    MOMENTS,
    RESTORE,
    STATES,
    STATISTICS,
    TERMS,
    USES,
    DigitsOrder,
    Hosting,
    asks_for_card,
    read_data,
    read_digits,
    read_moments,
    read_terms,
    read_uses,
    write_data,
    write_device,
    write_digits,
    write_moments,
    write_terms,
    write_uses,
)
from common.messages.train import (
    BUFFERS,
    PRIVACY,
    STATE,
    TRAIN,
    VERSIONS,
    TrainOrder,
    TrainReply,
    own_records,
    train_records,
)

__all__ = [
    "BUFFERS",
    "DATA",
    "DEVICE",
    "DIGITS",
    "EVALUATE",
    "HOSTING",
    "LABELS",
    "MOMENTS",
    "PRIVACY",
    "RESTORE",
    "STATE",
    "STATES",
    "STATISTICS",
    "TERMS",
    "TRAIN",
    "USES",
    "VERSIONS",
    "Blocks",
    "Content",
    "DigitsOrder",
    "EvaluateOrder",
    "Hosting",
    "InitialWeights",
    "MessageRecords",
    "TrainOrder",
    "TrainReply",
    "asks_for_card",
    "evaluate_records",
    "own_records",
    "read_data",
    "read_digits",
    "read_moments",
    "read_scores",
    "read_terms",
    "read_uses",
    "train_records",
    "write_data",
    "write_device",
    "write_digits",
    "write_moments",
    "write_scores",
    "write_terms",
    "write_uses",
]
