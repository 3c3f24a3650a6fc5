"""Who is there: the nodes, and the clients on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from textwrap import shorten

import numpy as np
from flwr.app import Message
from numpy.typing import NDArray

from common import messages
from common.data.prepared import Indices, Meta, Prepared
from common.errors import RunError
from common.extend.results import Block
from common.messages import DATA, DEVICE, USES, Content, Hosting, write_data, write_device, write_uses
from common.scenario.uses import Use
from server.exchange.blocks import cut
from server.exchange.costs import Seconds, evaluation_cost
from server.exchange.sending import Carrier, replies
from server.grid.base import DirectGrid

_NUMBERS = 10_000
"""Multiply-adds for an example where nothing better is known."""


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
    """What the examples are, on every host and on the server."""
    compiled: bool = False
    """Whether every host has the compiled trainer."""
    cards: tuple[str, ...] = ()
    """The kinds of cards that hosts train on, in order; the first is empty where a host has none."""
    missing: list[int] = field(default_factory=list)
    """Clients that the data has and that live on no node."""

    def within(self, limit: int) -> tuple[Federation, list[tuple[int, int]]]:
        """The federation without clients that claim more examples than `limit`; and these clients, with their numbers.

        That is more to train on, or more held out.
        """
        examples = np.maximum(self.training_sizes, self.holdout_sizes)
        sound = examples <= limit
        claims = list(zip(self.clients[~sound].tolist(), examples[~sound].tolist(), strict=True))
        kept = {name: getattr(self, name)[sound] for name in ("clients", "training_sizes", "holdout_sizes")}
        owners = None if self.owners is None else self.owners[sound]
        return (replace(self, **kept, owners=owners) if claims else self), claims

    def cut(self, chosen: Indices, blocks: int, costs: Seconds | None = None) -> list[Block]:
        """Blocks of the clients at the positions `chosen`, in that order.

        `costs` has an entry for each of them; without it they cost what looking at their training examples does.
        """
        if costs is None:
            costs = evaluation_cost(_NUMBERS, self.training_sizes[chosen])
        owners = None if self.owners is None else self.owners[chosen]
        return cut(self.clients[chosen], costs, blocks, owners)


def discover(grid: Carrier, own: Prepared, uses: Sequence[Use] = (), device: str = "cpu") -> Federation:
    """Ask every node which clients it has, whether it has what the scenario uses and, for `device`, which card.

    `own` is the server's data, whole or its part. Nodes that know no folder of their own are given its key. Nodes are
    put in the order of their first clients, which is the same in every run, as their ids are not.
    Raises RunError where none answers, where a node lacks what the scenario uses or has another version, where a node's
    data is not of a kind with the server's, and where a client lives on several nodes.
    """
    content = {DATA: write_data(own.key), USES: write_uses(uses), DEVICE: write_device(device)}
    asked = [Message(Content(content), node, messages.HOSTING) for node in grid.get_node_ids()]
    homes = {}
    answers = {}
    sent = grid.push_messages(asked)
    for message_id, message in zip(sent, asked, strict=True):
        homes[message_id] = message.metadata.dst_node_id
    for reply in replies(grid, sent):
        node = homes[reply.metadata.reply_to_message_id]
        if reply.has_error():
            raise RunError(f"node {node} cannot take part: {reply.error.reason}")
        try:
            hosting = Hosting.read(reply.content)
            _check_numbers(hosting, own.everyone)
        except Exception as error:  # whatever a stranger's bytes do to a parser
            raise RunError(f"node {node} sent an invalid description: {type(error).__name__}: {error}") from None
        _check_uses(node, hosting, uses)
        if len(hosting.clients):
            answers[node] = hosting
    if not answers:
        raise RunError("no node is connected")
    nodes = sorted(answers, key=lambda node: (int(answers[node].clients[0]), node))
    hosts = [answers[node] for node in nodes]
    for node, host in zip(nodes, hosts, strict=True):
        _check_same_kind(node, host.meta, own)
    compiled = all(host.compiled for host in hosts)
    cards = tuple(sorted({host.card for host in hosts}))
    owners = None
    if all(len(host.clients) == own.everyone for host in hosts):
        # Nodes that all have the whole data share its clients.
        hosts = hosts[:1]
        if not isinstance(grid, DirectGrid):
            # What a client keeps stays on its host, so even here it has one.
            owners = hosts[0].clients % len(nodes)
    else:
        owners = np.repeat(np.arange(len(hosts)), [len(host.clients) for host in hosts])
    clients = np.concatenate([host.clients for host in hosts])
    order = np.argsort(clients, kind="stable")
    twice = clients[order][1:][np.diff(clients[order]) == 0]
    if len(twice):
        homes_of = [str(node) for node, host in zip(nodes, hosts, strict=True) if twice[0] in host.clients]
        raise RunError(
            f"client {twice[0]} is on more than one node: {', '.join(homes_of)}; "
            "give each node a folder of its own from `hothouse cut`"
        )
    return Federation(
        nodes=nodes,
        clients=clients[order],
        training_sizes=np.concatenate([host.training_sizes for host in hosts])[order],
        holdout_sizes=np.concatenate([host.holdout_sizes for host in hosts])[order],
        owners=None if owners is None else owners[order],
        meta=own.meta,
        compiled=compiled,
        cards=cards,
        missing=np.setdiff1d(np.arange(own.everyone), clients).tolist(),
    )


def _check_numbers(hosting: Hosting, everyone: int) -> None:
    """Raise ValueError where a host's numbers cannot be right."""
    for name in ("clients", "training_sizes", "holdout_sizes"):
        array = getattr(hosting, name)
        if array.dtype != np.int64 or array.shape != hosting.clients.shape or array.ndim != 1:
            raise ValueError(f"its {name} are {array.dtype} of shape {array.shape}")
        if len(array) and array.min() < 0:
            raise ValueError(f"its {name} go down to {array.min()}")
    if len(hosting.clients) and hosting.clients.max() >= everyone:
        raise ValueError(f"it has client {hosting.clients.max()}; the data has {everyone} clients, from 0 on")
    if len(np.unique(hosting.clients)) != len(hosting.clients):
        raise ValueError("it lists a client twice")


def _check_uses(node: int, hosting: Hosting, uses: Sequence[Use]) -> None:
    """Raise RunError where a node has no such file or module as the scenario uses, or another one."""
    for use in uses:
        here = hosting.uses.get(use.name, "")
        if here != use.sha256:
            what = f"has another {use.name} than the server: SHA-256 {here[:12]}…" if here else f"has no {use.name}"
            way = f"install {use.version or 'the same version'} there"
            if use.is_file:
                way = "put it into the folder uses/ of the node's app"
            raise RunError(f"node {node} {what}; the scenario uses the one with SHA-256 {str(use.sha256)[:12]}…: {way}")


def _check_same_kind(node: int, meta: Meta, own: Prepared) -> None:
    """Raise RunError where a node's examples are not of a kind with the server's: its word sizes nobody's network."""
    for name in ("task", "row_shape", "targets", "scaling", "filling", "own_fill", "indicators", "text", "sequence"):
        here, there = getattr(meta, name), getattr(own.meta, name)
        if here != there:
            raise RunError(
                f"node {node} has incompatible data: its {name} is {_short(here)}, the server's {_short(there)}"
            )
    for name in ("labels", "columns"):
        here, there = getattr(meta, name), getattr(own.meta, name)
        if here != there:
            differs = next((pair for pair in zip_longest(here, there) if pair[0] != pair[1]), ("", ""))
            raise RunError(
                f"node {node} has other {name} than the server: {len(here)} and {len(there)}, first "
                f"{_short(differs[0])} in place of {_short(differs[1])}; cut all parts at once"
            )
    if meta.key and meta.key != own.key:
        raise RunError(f"node {node} has data from another cut than the server; cut all parts at once")


def _short(value: object) -> str:
    return shorten(repr(value), 200, placeholder="…")
