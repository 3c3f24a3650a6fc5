"""Who is there: the nodes, the clients on each, and what the federation agrees on before round 1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from flwr.app import Message, RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from common import messages
from common.data.agreement import Agreement, Moments, combined, label_set
from common.data.prepared import Indices, Meta
from common.data.table import Label
from common.errors import RunError
from common.messages import Hosting
from server.blocks import Block, cut
from server.exchange import Exchange, replies


@dataclass(frozen=True)
class Federation:
    """The clients of a run and where each of them lives."""

    nodes: list[int]
    clients: Indices
    """All client ids, ascending; the arrays below have an entry for each."""
    training_sizes: Indices
    holdout_sizes: Indices
    owners: NDArray[np.int64] | None
    """The position in `nodes` of each client's node; None where every node has every client."""
    meta: Meta
    labels: tuple[Label, ...]

    def cut(self, chosen: Indices, blocks: int) -> list[Block]:
        """Blocks of the clients at the positions `chosen`, in that order."""
        owners = None if self.owners is None else self.owners[chosen]
        return cut(self.clients[chosen], self.training_sizes[chosen], blocks, owners)


def discover(grid: Grid) -> Federation:
    """Ask every node which clients it has. Raises RunError where none answers or their data does not match."""
    asked = [Message(RecordDict(), node, messages.HOSTING) for node in sorted(grid.get_node_ids())]
    answers = {}
    for reply in replies(grid, grid.push_messages(asked)):
        if reply.has_error():
            raise RunError(f"node {reply.metadata.src_node_id} cannot take part: {reply.error.reason}")
        answers[reply.metadata.src_node_id] = Hosting.read(reply.content)
    if not answers:
        raise RunError("no node takes part")
    nodes = sorted(answers)
    hosts = [answers[node] for node in nodes]
    for node, host in zip(nodes, hosts, strict=True):
        _check_same_kind(node, host.meta, hosts[0].meta)
    owners = None
    if all(np.array_equal(host.clients, hosts[0].clients) for host in hosts):
        hosts = hosts[:1]
    else:
        owners = np.repeat(np.arange(len(hosts)), [len(host.clients) for host in hosts])
    clients = np.concatenate([host.clients for host in hosts])
    order = np.argsort(clients, kind="stable")
    twice = clients[order][1:][np.diff(clients[order]) == 0]
    if len(twice):
        raise RunError(f"client {twice[0]} lives on more than one node; give every client one home")
    return Federation(
        nodes=nodes,
        clients=clients[order],
        training_sizes=np.concatenate([host.training_sizes for host in hosts])[order],
        holdout_sizes=np.concatenate([host.holdout_sizes for host in hosts])[order],
        owners=None if owners is None else owners[order],
        meta=hosts[0].meta,
        labels=label_set(host.meta.labels for host in answers.values()),
    )


def agree(exchange: Exchange, federation: Federation, blocks: int, own_labels: list[Label]) -> Agreement:
    """The label set and the scaling, from the clients' sums; `own_labels` are those of the server's rows."""
    meta = federation.meta
    features, targets = math.prod(meta.row_shape), meta.targets
    shift, scale = np.zeros(features + targets), np.ones(features + targets)
    if meta.scaling == "bytes":
        scale[:features] = 255.0
    elif meta.scaling == "standardize":
        everyone = federation.cut(np.arange(len(federation.clients)), blocks)
        moments = _moments(exchange, everyone)
        shift, scale = moments.mean(), moments.deviation()
    return Agreement(
        task=meta.task,
        row_shape=tuple(meta.row_shape),
        labels=label_set([federation.labels, own_labels]),
        shift=shift[:features],
        scale=scale[:features],
        target_shift=shift[features:],
        target_scale=scale[features:],
    )


def _moments(exchange: Exchange, blocks: list[Block]) -> Moments:
    found: dict[int, Moments] = {}
    for arrival in exchange.ask(messages.MOMENTS, {}, blocks):
        if arrival.content is None:
            raise RunError(f"the columns' scaling could not be agreed: {arrival.error}")
        indices = [block.index for block in arrival.blocks]
        found.update(zip(indices, messages.read_moments(arrival.content), strict=True))
    return combined(found[index] for index in sorted(found))


def _check_same_kind(node: int, meta: Meta, first: Meta) -> None:
    for name in ("task", "row_shape", "targets", "columns", "scaling"):
        here, there = getattr(meta, name), getattr(first, name)
        if here != there:
            raise RunError(f"node {node} has data of another kind: its {name} is {here}, elsewhere {there}")
