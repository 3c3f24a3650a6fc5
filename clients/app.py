"""The Flower ClientApp: answers query, train and evaluate messages for the clients a host has."""

from __future__ import annotations

from functools import lru_cache

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from clients.blocks import train_blocks
from clients.faults import Faults
from clients.hosting import hosted
from clients.moments import block_moments
from clients.scoring import holdout_scores
from common import messages
from common.data import Prepared
from common.determinism import one_thread
from common.messages import Blocks, EvaluateOrder, Hosting, TrainOrder

app = ClientApp()


@app.query("hosting")
def hosting(message: Message, context: Context) -> Message:
    """Which clients this host has, how many rows each, and what the rows are."""
    prepared, clients = _prepared(context), hosted(_prepared(context), context)
    here = Hosting(
        prepared.clients[clients], prepared.training_sizes[clients], prepared.holdout_sizes[clients], prepared.meta
    )
    return Message(here.write(), reply_to=message)


@app.query("moments")
def moments(message: Message, context: Context) -> Message:
    """For each block of clients, the sums over their training rows that scaling needs."""
    blocks = Blocks.read(message.content.array_records["blocks"])
    with one_thread():
        return Message(messages.write_moments(block_moments(_prepared(context), blocks)), reply_to=message)


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train the message's clients from its weights, and reply with sums over each block."""
    order, faults = TrainOrder.read(message.content), Faults.of(context)
    with one_thread():
        reply = train_blocks(_prepared(context), order, faults)
    return Message(faults.reply(order.round, reply).write(), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Measure the message's models on its clients' held-out rows."""
    order = EvaluateOrder.read(message.content)
    with one_thread():
        return Message(messages.write_scores(holdout_scores(_prepared(context), order)), reply_to=message)


def _prepared(context: Context) -> Prepared:
    return _opened(str(context.node_config["data-dir"]))


@lru_cache(maxsize=4)
def _opened(folder: str) -> Prepared:
    return Prepared(folder)
