"""What clients keep for their next round: fetched for a checkpoint, given back when a run is resumed.

A grid of ours keeps it beside the run; in a deployment it stays on the clients' hosts, which are asked for it. Either
way it passes through memory a part at a time: all of it may be more than there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from common.arrays import NamedArrays, numbers, pack, unpack
from common.data.prepared import Indices
from common.errors import RunError
from common.extend.results import Block
from common.messages import RESTORE, STATE, STATES, VERSIONS, MessageRecords
from server.exchange.run_context import RunContext
from server.grid.base import DirectGrid

_PART = 1 << 26
"""Bytes of global weights that a part has as many clients for: what a client keeps is a few times their size."""


@dataclass(frozen=True)
class ClientState:
    """What some of the clients kept."""

    places: Indices
    """The places of these clients among all of the run, (clients,), ascending."""
    states: NamedArrays
    """(clients, *shape)"""


class ClientStateSync:
    """The way to what the clients of one run keep."""

    def __init__(self, context: RunContext) -> None:
        self._run = context

    def collect(self, versions: Indices, parameters: NamedArrays) -> Iterator[ClientState]:
        """What the clients kept, part by part, without those who cannot be asked, who would begin anew.

        `versions`, (clients,), are the committed ones, 0 for none; `parameters` are the global weights.
        """
        gone: list[int] = []
        having = np.flatnonzero(versions)
        size = max(1, _PART // max(1, numbers(parameters)))
        for start in range(0, len(having), size):
            places = having[start : start + size]
            for kept in self._fetch(places, versions):
                gone += self._run.federation.clients[np.setdiff1d(places, kept.places)].tolist()
                yield kept
        if gone:
            self._run.exchange.events.notice("states missing", clients=gone, reason="their hosts did not answer")

    def restore(self, versions: Indices, parts: Iterable[ClientState]) -> None:
        """Give the clients back what they kept. Raises RunError where a host cannot be told."""
        for kept in parts:
            if isinstance(self._run.exchange.grid, DirectGrid):
                self._put(self._run.exchange.grid, versions, kept)
            else:
                self._send(versions, kept)

    def adopt(self, number: int, versions: Indices, adopters: Indices, givers: Indices) -> None:
        """Give the clients at the places `adopters` a copy of what those at `givers` kept, as of round `number`.

        Where a giver is negative or keeps nothing, or a host cannot be told, the adopter begins anew. `versions` are
        brought up to date.
        """
        having = np.where(givers >= 0, versions[givers], 0) > 0
        sources, who = np.unique(givers[having], return_inverse=True)
        parts = []
        for kept in self._fetch(sources, versions):
            at = np.searchsorted(kept.places, sources)
            there = np.isin(sources, kept.places)[who]
            rows = at[who][there]
            parts.append(
                ClientState(adopters[having][there], {name: array[rows] for name, array in kept.states.items()})
            )
        versions[adopters] = 0
        for part in parts:
            if not len(part.places):
                continue
            versions[part.places] = number
            try:
                self.restore(versions, [part])
            except RunError as error:
                versions[part.places] = 0
                missing = self._run.federation.clients[part.places].tolist()
                self._run.exchange.events.notice("states missing", clients=missing, reason=str(error))

    def _fetch(self, places: Indices, versions: Indices) -> Iterator[ClientState]:
        """What the clients at these places kept, as far as their hosts answer."""
        if not len(places):
            return
        if isinstance(self._run.exchange.grid, DirectGrid):
            states, _ = self._run.exchange.grid.states.get(self._run.federation.clients[places], versions[places])
            yield ClientState(places, states)
        else:
            yield self._ask_hosts(places, versions)

    def _ask_hosts(self, places: Indices, versions: Indices) -> ClientState:
        """What the hosts of the clients at these places answer."""

        def named(group: list[Block]) -> MessageRecords:
            return {VERSIONS: pack({"committed": versions[places[_places_in_cut(group)]]})}

        states: NamedArrays = {}
        there = np.zeros(len(places), dtype=np.bool_)
        for arrival in self._run.exchange.ask(STATES, {}, self._run.federation.cut(places, self._run.blocks), named):
            if arrival.content is None:
                continue
            within = _places_in_cut(arrival.blocks)
            there[within] = True
            for name, rows in unpack(arrival.content.array_records[STATE]).items():
                states.setdefault(name, np.zeros((len(places), *rows.shape[1:]), rows.dtype))[within] = rows
        if there.all():
            return ClientState(places, states)
        return ClientState(places[there], {name: rows[there] for name, rows in states.items()})

    def _put(self, grid: DirectGrid, versions: Indices, kept: ClientState) -> None:
        clients, theirs = self._run.federation.clients[kept.places], versions[kept.places]
        for version in np.unique(theirs):
            chosen = theirs == version
            grid.states.put(int(version), clients[chosen], {name: rows[chosen] for name, rows in kept.states.items()})

    def _send(self, versions: Indices, kept: ClientState) -> None:
        def theirs(group: list[Block]) -> MessageRecords:
            within = _places_in_cut(group)
            own = {name: rows[within] for name, rows in kept.states.items()}
            return {VERSIONS: pack({"committed": versions[kept.places[within]]}), STATE: pack(own)}

        for arrival in self._run.exchange.ask(
            RESTORE, {}, self._run.federation.cut(kept.places, self._run.blocks), theirs
        ):
            if arrival.content is None:
                raise RunError(f"clients' states could not be restored: {arrival.error}")


def _places_in_cut(blocks: list[Block]) -> Indices:
    """Where the blocks' clients stand among those that were cut."""
    return np.concatenate([block.places for block in blocks])
