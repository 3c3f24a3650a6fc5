"""One round of training: orders to the cohort's hosts, replies checked, failures named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common import messages
from common.arrays import Named, numbers, pack, unpack
from common.data.agreement import Agreement
from common.data.prepared import Indices
from common.errors import InputError, RunError
from common.messages import BUFFERS, Records, Starts
from common.scenario import Scenario
from common.settings import ClientSettings
from server.exchange.blocks import Block
from server.exchange.costs import training
from server.exchange.federation import Federation
from server.exchange.results import BlockResult
from server.exchange.sending import Arrival, Exchange, Tell
from server.exchange.validation import Refused, Validator
from server.strategies.base import Instructions

_LETTERS = 2000
"""How much of a reason is kept: a client may say what it likes."""


@dataclass(frozen=True)
class Trained:
    """What a round of training brought."""

    results: list[BlockResult]
    """The usable blocks, in block order."""
    clients: Indices
    """The ids of the clients that are in the results."""
    losses: NDArray[np.float64]
    """Each one's mean training loss, (clients,)."""
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

    def round(
        self,
        number: int,
        cohort: Indices,
        instructions: Instructions,
        starts: Starts,
        versions: Indices,
        without: dict[int, str],
    ) -> Trained:
        """Train the clients at the positions `cohort`.

        `starts` has own ones of some of the cohort, `versions` for every client of the federation the version of its
        state to build on. The blocks of `without` are left out, for the reasons it gives: what a deadline excluded
        before a run was resumed stays excluded. Raises RunError where too few usable answers are left.
        """
        results = sorted(
            self._results(number, cohort, instructions, starts, versions, without),
            key=lambda result: result.block.index,
        )
        clients = np.concatenate([np.empty(0, np.int64), *(result.block.clients for result in results)])
        examples = np.concatenate([np.empty(0), *(result.metrics["examples"] for result in results)])
        losses = np.concatenate([np.empty(0), *(result.metrics["train_loss"] for result in results)])
        took_part = examples > 0
        least = self._scenario.federation.min_clients
        if took_part.sum() < least:
            raise RunError(
                f"round {number}: {took_part.sum()} of {len(cohort)} clients gave a usable answer, "
                f"federation.min_clients is {least}; logs/run.log says what happened"
            )
        loss = float(np.average(losses[took_part], weights=examples[took_part]))
        usable = [result for result in results if result.weight > 0]
        return Trained(usable, clients[took_part], losses[took_part], loss)

    def _results(
        self,
        number: int,
        cohort: Indices,
        instructions: Instructions,
        starts: Starts,
        versions: Indices,
        without: dict[int, str],
    ) -> Iterator[BlockResult]:
        """The blocks' results, as they come."""
        pooled = self._scenario.federation.strategy.pooled
        size = sum(array.size for array in unpack(instructions.parameters).values())
        costs = training(self._scenario.training, size, self._federation.training_sizes[cohort])
        blocks = self._federation.cut(cohort, 1 if pooled else self._scenario.federation.blocks, costs)
        if pooled and len(blocks) > 1:
            raise InputError("a strategy for clients on several hosts: rows do not travel", "federation.strategy")
        for block in blocks:
            if block.index in without:
                self._exclude([block], without[block.index])
        blocks = [block for block in blocks if block.index not in without]
        shared = messages.train_records(
            number,
            self._settings_text,
            self._agreement,
            pack({}) if instructions.known else instructions.parameters,
            instructions.records,
        )
        positions = {block.index: cohort[block.places] for block in blocks}

        def own(group: list[Block]) -> Records:
            places = np.concatenate([block.places for block in group])

            def theirs(arrays: Named) -> Named:
                return {name: array[places] for name, array in arrays.items()}

            records = messages.own_records(
                starts.among(places),
                theirs(instructions.values),
                {name: theirs(arrays) for name, arrays in instructions.own.items()},
            )
            if self._settings.keeps_state:
                committed = np.concatenate([versions[positions[block.index]] for block in group])
                records[messages.VERSIONS] = pack({"committed": committed, "next": np.array([number])})
            return records

        parameters, buffers = unpack(instructions.parameters), instructions.records.get(BUFFERS, {})
        strategy = self._scenario.federation.strategy
        personal = set(strategy.personal([*parameters, *buffers]))
        shared_parameters, shared_buffers = (
            {name: array for name, array in arrays.items() if name not in personal} for arrays in (parameters, buffers)
        )
        validator = Validator(
            number,
            shared_parameters,
            shared_buffers,
            self._federation.clients,
            self._federation.training_sizes,
            self._settings,
            self._scenario.federation.limits,
        )
        deadline = self._scenario.federation.deadline
        kept = numbers(parameters) if self._settings.keeps_state else 0
        for arrival in self._exchange.ask(messages.TRAIN, shared, blocks, own, deadline, kept):
            yield from self._usable(arrival, validator)

    def _usable(self, arrival: Arrival, validator: Validator) -> Iterator[BlockResult]:
        """The sound blocks of a reply; the others, and clients that failed on their host, are named."""
        if arrival.content is None:
            self._exclude(arrival.blocks, arrival.error)
            return
        try:
            checked = validator.blocks(arrival.blocks, validator.read(arrival.blocks, arrival.content))
        except Refused as refusal:
            self._exclude(arrival.blocks, f"the reply is refused: {refusal}")
            return
        for result in checked:
            if isinstance(result, BlockResult):
                for client, reason in result.excluded.items():
                    self._tell("excluded", {"clients": [client], **_split(reason)})
                yield result
            else:
                self._exclude([result[0]], f"the reply is refused: {result[1]}")

    def _exclude(self, blocks: list[Block], reason: str) -> None:
        clients = [int(client) for block in blocks for client in block.clients]
        self._tell("excluded", {"clients": clients, "blocks": [block.index for block in blocks], **_split(reason)})


def _split(reason: str) -> dict[str, str]:
    """The line that says what went wrong, and what is known beyond it, such as a traceback; neither without end."""
    first, _, detail = reason.partition("\n")
    return {"reason": first[:_LETTERS]} | ({"detail": detail[: 4 * _LETTERS]} if detail else {})
