"""One round of training: orders to the cohort's hosts, replies checked, failures named."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np

from common import messages
from common.arrays import NamedArrays, numbers, pack
from common.errors import InputError, RunError
from common.extend.results import Block, BlockResult
from common.messages import BUFFERS, MessageRecords
from server.exchange.assignment import Assignment, RoundResults
from server.exchange.costs import training_cost
from server.exchange.run_context import RunContext
from server.exchange.sending import Reply
from server.exchange.validation import RefusedReply, Validator

_LETTERS = 2000
"""How much of a reason is kept: a client may say what it likes."""


class OutOfDeviceMemory(Exception):
    """A card's memory does not hold a stack of so many clients."""

    def __init__(self, clients: int) -> None:
        super().__init__(f"a card's memory does not hold a stack of {clients} clients")
        self.clients = clients


class Training:
    """Sends the orders of a round and gathers its results."""

    def __init__(self, context: RunContext) -> None:
        self._run = context
        self._reasons: list[str] = []
        """Why clients were left out of the round."""
        self.widest = 0
        """How many clients a stack may have, so that a card's memory holds it; 0 where there is no such limit."""

    def round(self, assignment: Assignment) -> RoundResults:
        """Train a round's cohort.

        Raises RunError where too few usable answers are left, and OutOfDeviceMemory.
        """
        number, cohort = assignment.round, assignment.cohort
        self._reasons = []
        results = sorted(self._results(assignment), key=lambda result: result.block.index)
        clients = np.concatenate([np.empty(0, np.int64), *(result.block.clients for result in results)])
        examples = np.concatenate([np.empty(0), *(result.metrics["examples"] for result in results)])
        losses = np.concatenate([np.empty(0), *(result.metrics["train_loss"] for result in results)])
        took_part = examples > 0
        federation = self._run.scenario.federation
        least = federation.min_clients if federation.selection.sampling_rate() is None else 0
        if took_part.sum() < least:
            reason = f"; the first was left out because {self._reasons[0]}" if self._reasons else ""
            raise RunError(
                f"round {number}: {took_part.sum()} of {len(cohort)} clients sent a usable reply, "
                f"federation.min_clients is {least}{reason}; see logs/run.log"
            )
        loss = float(np.average(losses[took_part], weights=examples[took_part])) if took_part.any() else math.nan
        usable = [result for result in results if result.weight > 0]
        return RoundResults(usable, clients[took_part], losses[took_part], loss)

    def _results(self, assignment: Assignment) -> Iterator[BlockResult]:
        """The blocks' results, as they come."""
        if not len(assignment.cohort):
            return
        instructions, starts = assignment.instructions, assignment.starts
        parameters = assignment.parameters
        blocks = self._blocks(assignment, sum(array.size for array in parameters.values()))
        shared = messages.train_records(
            assignment.round,
            self._run.settings_text,
            self._run.data_spec,
            pack({} if assignment.known else parameters),
            instructions.records,
            self.widest,
        )

        def own(group: list[Block]) -> MessageRecords:
            places = np.concatenate([block.places for block in group])

            def theirs(arrays: NamedArrays) -> NamedArrays:
                return {name: array[places] for name, array in arrays.items()}

            records = messages.own_records(
                starts.among(places),
                theirs(instructions.values),
                {name: theirs(arrays) for name, arrays in instructions.own.items()},
            )
            if self._run.settings.keeps_state:
                committed = assignment.versions[assignment.cohort[places]]
                records[messages.VERSIONS] = pack({"committed": committed, "next": np.array([assignment.round])})
            return records

        validator = self._validator(assignment.round, parameters, instructions.records.get(BUFFERS, {}))
        deadline = self._run.scenario.federation.deadline
        kept = numbers(parameters) if self._run.settings.keeps_state else 0
        with closing(self._run.exchange.ask(messages.TRAIN, shared, blocks, own, deadline, kept)) as arrivals:
            for arrival in arrivals:
                yield from self._usable(arrival, validator)

    def _blocks(self, assignment: Assignment, size: int) -> list[Block]:
        """Who trains together a network of `size` parameters, without the blocks that are left out."""
        settings, strategy = self._run.scenario.training, self._run.scenario.federation.strategy
        pooled, examples = strategy.pooled, self._run.federation.training_sizes[assignment.cohort]
        costs = training_cost(settings, size, examples, strategy.passes(settings))
        blocks = self._run.federation.cut(
            assignment.cohort, 1 if pooled else self._run.scenario.federation.blocks, costs
        )
        if pooled and len(blocks) > 1:
            raise InputError("a strategy for clients on several hosts: examples do not travel", "federation.strategy")
        for block in blocks:
            if block.index in assignment.without:
                self._exclude([block], assignment.without[block.index])
        return [block for block in blocks if block.index not in assignment.without]

    def _validator(self, number: int, parameters: NamedArrays, buffers: NamedArrays) -> Validator:
        """What replies must be like: nothing in them of what clients have to themselves."""
        personal = set(self._run.scenario.federation.strategy.personal([*parameters, *buffers]))
        shared_parameters, shared_buffers = (
            {name: array for name, array in arrays.items() if name not in personal} for arrays in (parameters, buffers)
        )
        return Validator(
            number,
            shared_parameters,
            shared_buffers,
            self._run.federation.clients,
            self._run.federation.training_sizes,
            self._run.settings,
            self._run.scenario.federation.limits,
        )

    def _usable(self, arrival: Reply, validator: Validator) -> Iterator[BlockResult]:
        """The sound blocks of a reply; the others, and clients that failed on their host, are named."""
        if arrival.content is None:
            self._exclude(arrival.blocks, arrival.error)
            return
        try:
            reply = validator.read(arrival.blocks, arrival.content)
            # A host that says so of stacks that it was not to make is not believed.
            asked = sum(len(block.clients) for block in arrival.blocks)
            if 1 < reply.too_wide <= min(asked, self.widest or asked) and self._run.settings.training.device == "cuda":
                raise OutOfDeviceMemory(reply.too_wide)
            checked = validator.blocks(arrival.blocks, reply)
        except RefusedReply as refusal:
            self._exclude(arrival.blocks, f"the reply is refused: {refusal}")
            return
        for result in checked:
            if isinstance(result, BlockResult):
                for client, reason in (result.excluded | result.refused).items():
                    self._record_exclusion([client], reason)
                yield result
            else:
                self._exclude([result[0]], f"the reply is refused: {result[1]}")

    def _exclude(self, blocks: list[Block], reason: str) -> None:
        clients = [int(client) for block in blocks for client in block.clients]
        indices = [block.index for block in blocks]
        self._record_exclusion(clients, reason, blocks=indices)

    def _record_exclusion(self, clients: list[int], reason: str, **details: Any) -> None:
        told = _split(reason)
        self._reasons.append(told["reason"])
        self._run.exchange.events.notice("excluded", clients=clients, **details, **told)


def _split(reason: str) -> dict[str, str]:
    """The line that says what went wrong, and what is known beyond it, such as a traceback; neither without end."""
    first, _, detail = reason.partition("\n")
    return {"reason": first[:_LETTERS]} | ({"detail": detail[: 4 * _LETTERS]} if detail else {})
