"""Asks clients how good models are on their own examples: sums come back; those that cannot be right are left out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import cast

import numpy as np
from flwr.app import ArrayRecord

from common import messages
from common.arrays import numbers, unpack
from common.data.prepared import Indices
from common.extend.results import Block
from common.messages import MessageRecords
from common.metrics import MeasuredMetrics, Sums
from server.exchange.sending import Exchange


def ask_scores(
    exchange: Exchange,
    shared: MessageRecords,
    blocks: list[Block],
    models: int,
    examples: Indices,
    metrics: MeasuredMetrics,
    own: Callable[[list[Block]], MessageRecords] | None = None,
    kept: int = 0,
    theirs: Collection[str] = (),
) -> Iterator[tuple[list[Block], list[Sums]]]:
    """For each reply its blocks, and each of `models` models' sums over each of their clients' examples.

    `examples` are how many of them each client has, in the order of the blocks' places; `own` and `kept` are as in
    `Exchange.ask`, `theirs` the arrays of the models that clients keep to themselves. What travels is counted. Where
    there is no reply, or one of wrong shapes, that is told, and nothing is yielded.
    """
    sent = unpack(cast(ArrayRecord, shared["parameters"]))
    each, traffic = numbers({name: array for name, array in sent.items() if name not in theirs}), exchange.traffic
    traffic.down += each * sum(len(block.clients) for block in blocks)
    for arrival in exchange.ask(messages.EVALUATE, shared, blocks, own, kept=kept):
        reason = arrival.error
        if arrival.content is not None:
            try:
                found = messages.read_scores(arrival.content)
                _check(found, models, examples[np.concatenate([block.places for block in arrival.blocks])], metrics)
            except Exception as error:  # whatever a stranger's bytes do to a parser
                reason = f"the reply is refused: {type(error).__name__}: {error}"
            else:
                traffic.up += sum(map(numbers, found))
                yield arrival.blocks, found
                continue
        clients = [int(client) for block in arrival.blocks for client in block.clients]
        exchange.events.notice("not measured", clients=clients, reason=reason.partition("\n")[0])


def _check(found: list[Sums], models: int, examples: Indices, metrics: MeasuredMetrics) -> None:
    """Raise ValueError or KeyError where the sums are not those of these models and clients with these examples."""
    clients = len(examples)
    for sums in found:
        if not np.array_equal(sums["examples"], examples):
            raise ValueError("it claims other numbers of examples than there are")
        for name, array in sums.items():
            if array.dtype.kind not in "iuf" or array.shape[:1] != (clients,):
                raise ValueError(f"its {name} is {array.dtype} of shape {array.shape}, for {clients} clients")
        for name, metric in metrics.finish(sums).items():
            if np.shape(metric) != (clients,):
                raise ValueError(f"its {name} has the shape {np.shape(metric)}, for {clients} clients")
    if len(found) != models:
        raise ValueError(f"it measures {len(found)} models, not {models}")
