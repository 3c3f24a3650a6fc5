"""One round of training: orders to the cohort's hosts, replies checked, failures named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from common import messages
from common.arrays import pack, unpack
from common.data.agreement import Agreement
from common.data.prepared import Indices
from common.errors import RunError
from common.messages import TrainReply
from common.scenario import Scenario
from common.settings import ClientSettings
from server.blocks import Block
from server.exchange import Arrival, Exchange, Records
from server.federation import Federation
from server.results import BlockResult
from server.strategies.base import Instructions
from server.validation import Refused, Validator

Tell = Callable[[str, dict[str, Any]], None]
"""Told of events by name and details."""


@dataclass(frozen=True)
class Trained:
    """What a round of training brought."""

    results: list[BlockResult]
    """The usable blocks, in block order."""
    clients: Indices
    """The ids of the clients that are in the results."""
    loss: float
    """Their mean training loss, by rows."""


class Training:
    """Sends the orders of a round and gathers its results."""

    def __init__(
        self,
        scenario: Scenario,
        exchange: Exchange,
        federation: Federation,
        agreement: Agreement,
        settings: ClientSettings,
        tell: Tell,
    ) -> None:
        self._scenario, self._exchange, self._federation, self._agreement = scenario, exchange, federation, agreement
        self._settings, self._settings_text = settings, settings.model_dump_json()
        self._tell = tell
        self._sizes = dict(zip(federation.clients.tolist(), federation.training_sizes.tolist(), strict=True))

    def round(
        self, number: int, cohort: Indices, instructions: Instructions, versions: Indices, without: dict[int, str]
    ) -> Trained:
        """Train the clients at the positions `cohort`.

        `versions` has for every client of the federation the version of its state to build on. The blocks of
        `without` are left out, for the reasons it gives: what a deadline excluded before a run was resumed
        stays excluded. Raises RunError where too few usable answers are left.
        """
        results = sorted(
            self._results(number, cohort, instructions, versions, without), key=lambda result: result.block.index
        )
        clients = np.concatenate([np.empty(0, np.int64), *(result.block.clients for result in results)])
        examples = np.concatenate([np.empty(0), *(result.metrics["examples"] for result in results)])
        losses = np.concatenate([np.empty(0), *(result.metrics["train_loss"] for result in results)])
        took_part = examples > 0
        least = self._scenario.federation.min_clients
        if took_part.sum() < least:
            raise RunError(
                f"round {number}: {took_part.sum()} of {len(cohort)} clients gave a usable answer, "
                f"federation.min_clients is {least}; events.jsonl says what happened"
            )
        loss = float(np.average(losses[took_part], weights=examples[took_part]))
        return Trained([result for result in results if result.weight > 0], clients[took_part], loss)

    def _results(
        self, number: int, cohort: Indices, instructions: Instructions, versions: Indices, without: dict[int, str]
    ) -> Iterator[BlockResult]:
        """The blocks' results, as they come."""
        blocks = self._federation.cut(cohort, self._scenario.federation.blocks)
        for block in blocks:
            if block.index in without:
                self._exclude([block], without[block.index])
        blocks = [block for block in blocks if block.index not in without]
        shared = messages.train_records(
            number, self._settings_text, self._agreement, instructions.parameters, instructions.records
        )
        positions = {block.index: cohort[block.places] for block in blocks}

        def own(group: list[Block]) -> Records:
            records = {"values": pack({})}
            if self._settings.keeps_state:
                committed = np.concatenate([versions[positions[block.index]] for block in group])
                records[messages.VERSIONS] = pack({"committed": committed, "next": np.array([number])})
            return records

        validator = Validator(unpack(instructions.parameters), self._sizes)
        deadline = self._scenario.federation.deadline
        for arrival in self._exchange.ask(messages.TRAIN, shared, blocks, own, deadline):
            yield from self._usable(arrival, validator)

    def _usable(self, arrival: Arrival, validator: Validator) -> Iterator[BlockResult]:
        """The sound blocks of a reply; the others, and clients that failed on their host, are named."""
        if arrival.content is None:
            self._exclude(arrival.blocks, arrival.error)
            return
        try:
            checked = validator.blocks(arrival.blocks, TrainReply.read(arrival.content))
        except Refused as refusal:
            self._exclude(arrival.blocks, f"the reply is refused: {refusal}")
            return
        except (KeyError, ValueError, TypeError) as error:
            self._exclude(arrival.blocks, f"the reply cannot be read: {type(error).__name__}: {error}")
            return
        for result in checked:
            if isinstance(result, BlockResult):
                for client, reason in result.excluded.items():
                    self._tell("excluded", {"clients": [client], "reason": reason})
                yield result
            else:
                self._exclude([result[0]], f"the reply is refused: {result[1]}")

    def _exclude(self, blocks: list[Block], reason: str) -> None:
        clients = [int(client) for block in blocks for client in block.clients]
        first, _, detail = reason.partition("\n")
        details = {"clients": clients, "blocks": [block.index for block in blocks], "reason": first}
        self._tell("excluded", details | ({"detail": detail} if detail else {}))
