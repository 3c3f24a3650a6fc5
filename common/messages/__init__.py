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

from common.messages.blocks import Blocks
from common.messages.evaluate import EVALUATE, EvaluateOrder, evaluate_records, read_scores, write_scores
from common.messages.queries import HOSTING, MOMENTS, Hosting, read_moments, write_moments
from common.messages.train import STATE, TRAIN, VERSIONS, TrainOrder, TrainReply, train_records

__all__ = [
    "EVALUATE",
    "HOSTING",
    "MOMENTS",
    "STATE",
    "TRAIN",
    "VERSIONS",
    "Blocks",
    "EvaluateOrder",
    "Hosting",
    "TrainOrder",
    "TrainReply",
    "evaluate_records",
    "read_moments",
    "read_scores",
    "train_records",
    "write_moments",
    "write_scores",
]
