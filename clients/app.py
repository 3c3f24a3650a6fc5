"""The Flower ClientApp: answers query, train and evaluate messages for the clients a host has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

from clients.blocks.faults import Faults
from clients.compiled.library import library
from clients.host.block_workers import train_with
from clients.host.data_location import prepared as data_of
from clients.host.data_location import states_folder
from clients.host.hosting import hosted_clients
from clients.host.states import StateStore
from clients.measuring.running_statistics import block_statistics
from clients.measuring.scoring import scores
from clients.measuring.summaries import block_labels, block_moments, block_terms, digit_counts
from common import devices, messages
from common.arrays import pack, unpack
from common.data.prepared import Indices
from common.determinism import one_thread
from common.messages import STATE, VERSIONS, Blocks, EvaluateOrder, Hosting, TrainOrder
from common.scenario.uses import sha256_here

app = ClientApp()


@app.query("hosting")
def hosting(message: Message, context: Context) -> Message:
    """Which clients this host has, how many examples each, and what the examples are."""
    prepared = data_of(message, context)
    prepared.check()
    clients = hosted_clients(prepared, context)
    here = Hosting(
        prepared.clients[clients],
        prepared.training_sizes[clients],
        prepared.holdout_sizes[clients],
        prepared.meta,
        library() is not None,
        devices.card() if messages.asks_for_card(message.content) else "",
        {use.name: sha256_here(use) for use in messages.read_uses(message.content)},
    )
    return Message(here.write(), reply_to=message)


@app.query("moments")
def moments(message: Message, context: Context) -> Message:
    """For each block of clients, the sums over their training examples that scaling needs."""
    blocks = Blocks.read(message.content.array_records["blocks"])
    with one_thread():
        return Message(messages.write_moments(block_moments(data_of(message, context), blocks)), reply_to=message)


@app.query("labels")
def labels(message: Message, context: Context) -> Message:
    """For each block of clients, how many training examples each label has."""
    blocks = Blocks.read(message.content.array_records["blocks"])
    return Message(messages.write_terms(block_labels(data_of(message, context), blocks)), reply_to=message)


@app.query("terms")
def terms(message: Message, context: Context) -> Message:
    """For each block of clients, in how many of their training texts each term occurs."""
    blocks = Blocks.read(message.content.array_records["blocks"])
    return Message(messages.write_terms(block_terms(data_of(message, context), blocks)), reply_to=message)


@app.query("digits")
def digits(message: Message, context: Context) -> Message:
    """Counts over the blocks' training examples, from which columns' medians follow."""
    blocks = Blocks.read(message.content.array_records["blocks"])
    order = messages.DigitsOrder.read(message.content)
    counted = digit_counts(data_of(message, context), blocks, order.columns, order.prefixes, order.known)
    return Message(messages.write_digits(counted), reply_to=message)


@app.query("statistics")
def statistics(message: Message, context: Context) -> Message:
    """For each block of clients, the sums over its training examples that a batch normalization's statistics need."""
    order, layer = EvaluateOrder.read(message.content), message.content.config_records["layer"]["layer"]
    with one_thread():
        return Message(
            messages.write_moments(block_statistics(data_of(message, context), order, int(str(layer)))),
            reply_to=message,
        )


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train the message's clients from its weights, and reply with sums over each block."""
    order, faults = TrainOrder.read(message.content), Faults.of(context)
    store = _own_states(message, context)
    if store is not None:
        order = replace(order, state=store.read(*_versions(message)))
    reply = train_with(context, data_of(message, context), order, faults)
    if store is not None and reply.state is not None:
        clients, committed = _versions(message)
        store.write(clients, committed, np.full_like(committed, order.round), reply.state)
        reply = replace(reply, state=None)
    reply = faults.reply(order.round, replace(reply, round=order.round))
    return Message(reply.write(), reply_to=message)


@app.query("states")
def states(message: Message, context: Context) -> Message:
    """What clients keep for their next round, in the versions that the message names."""
    clients, versions = _versions(message)
    kept = StateStore(states_folder(context)).read(clients, versions)
    return Message(RecordDict({STATE: pack(kept)}), reply_to=message)


@app.query("restore")
def restore(message: Message, context: Context) -> Message:
    """Keep what the message brings as what clients kept in the versions that it names."""
    clients, versions = _versions(message)
    kept = unpack(message.content.array_records[STATE])
    StateStore(states_folder(context)).write(clients, versions, versions, kept)
    return Message(RecordDict(), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Measure the message's models on its clients' own examples."""
    order, store = EvaluateOrder.read(message.content), _own_states(message, context)
    if store is not None:
        order = replace(order, state=store.read(*_versions(message)))
    with one_thread():
        return Message(messages.write_scores(scores(data_of(message, context), order)), reply_to=message)


def _own_states(message: Message, context: Context) -> StateStore | None:
    """Where this host keeps the states that a message names but does not bring; None where it names none."""
    if VERSIONS not in message.content or STATE in message.content:
        return None
    return StateStore(states_folder(context))


def _versions(message: Message) -> tuple[Indices, Indices]:
    """The clients that a message is about, and the version of each."""
    records = message.content.array_records
    return Blocks.read(records["blocks"]).clients, unpack(records[VERSIONS])["committed"]
