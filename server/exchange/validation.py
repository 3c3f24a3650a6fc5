"""Whether a reply can be trusted as far as it can be checked: nothing else reaches a strategy."""

from __future__ import annotations

from typing import Any

import numpy as np
from flwr.app import Array, RecordDict
from numpy.typing import NDArray

from common.arrays import LiveArray, NamedArrays
from common.data.prepared import Indices
from common.extend.results import Block, BlockResult
from common.messages import BUFFERS, TrainReply
from common.scenario.limits import Limits
from common.settings import ClientSettings
from server.exchange.results import block_results

_SMALL = 1 << 20
"""Bytes that any reply may have."""
_TOLD = 1 << 12
"""Bytes that it may have for each client beside weights: numbers, and why one failed."""
_AT_ONCE = 1 << 17
"""Numbers looked at together: what is computed of them stays in the processor's cache."""


class RefusedReply(Exception):
    """A reply, or a block of it, that cannot be used; the message says why."""


class Validator:
    """Checks replies against what was asked and what is known."""

    def __init__(
        self,
        round_number: int,
        like: NamedArrays,
        buffers: NamedArrays,
        clients: Indices,
        sizes: Indices,
        settings: ClientSettings,
        limits: Limits,
    ) -> None:
        """`like` are the global weights that were sent, `buffers` the running statistics, both without what clients
        keep to themselves, `sizes` the examples of each of `clients`, whose ids ascend, `settings` say what was asked
        for.
        """
        self._round, self._like, self._buffers = round_number, like, buffers
        self._clients, self._sizes = clients, sizes
        self._strategy, self._weighting, self._private = settings.strategy, settings.weighting, settings.privacy
        self._limits = limits
        self._numbers = sum(array.nbytes for array in (*like.values(), *buffers.values()))

    def read(self, asked: list[Block], content: RecordDict) -> TrainReply:
        """The reply in a message. Raises Refused where it is too large to be read, or cannot be."""
        rows = len(asked) + sum(len(block.clients) for block in asked)
        most = self._limits.message_mb
        each = _TOLD + 16 * self._numbers * (1 + len(self._strategy.sums))
        limit = _SMALL + rows * each if most is None else most * 1e6
        size = size_of(content)
        _expect(size <= limit, f"it has {size:,} bytes, more than the {limit:,.0f} of federation.limits.message_mb")
        try:
            return TrainReply.read(content)
        except Exception as error:  # whatever a stranger's bytes do to a parser
            raise RefusedReply(f"it cannot be read: {type(error).__name__}: {error}") from None

    def blocks(self, asked: list[Block], reply: TrainReply) -> list[BlockResult | tuple[Block, str]]:
        """Each block's result, or why it is refused. Raises Refused for a reply that does not fit at all."""
        clients = np.concatenate([block.clients for block in asked])
        _expect(reply.round == self._round, f"it belongs to round {reply.round}, not {self._round}")
        _expect(not reply.too_wide, "it says that a card's memory is full")
        _expect(np.array_equal(reply.blocks.clients, clients), "it has other clients than requested")
        _expect(
            reply.blocks.sizes.tolist() == [len(block.clients) for block in asked],
            "its blocks differ from the requested ones",
        )
        _expect(reply.weights.shape == (len(asked),), "expected one weight per block")
        for name, array in reply.metrics.items():
            _expect(array.shape == clients.shape, f"its {name} are not one number per client")
            if array.dtype.kind not in "biuf":
                raise RefusedReply(f"its {name} are {array.dtype}, which are no numbers")
        own = ["weight"] if self._weighting == "custom" else []
        bits = [] if self._private is None else ["unclipped"]
        for name in ("examples", "train_loss", *own, *bits):
            _expect(name in reply.metrics, f"it has no {name}")
        whole = {"parameters": self._like, BUFFERS: self._buffers}
        rows = {kind for kind, like in whole.items() if like and self._strategy.needs_client_updates}
        for kind in reply.rows.keys() - rows:
            raise RefusedReply(f"it has {kind} of each client, which was not requested")
        for kind in sorted(rows - reply.rows.keys()):
            raise RefusedReply(f"it has no {kind} of each client")
        _expect((BUFFERS in reply.sums) == bool(self._buffers), "it has no running statistics, or should have none")
        kinds = {"parameters"} if self._like else set()
        kinds |= set(self._strategy.sums)
        known = kinds | {BUFFERS} | {f"{kind}.{BUFFERS}" for kind in kinds}
        for kind in reply.sums.keys() - known:
            raise RefusedReply(f"it has sums of {kind}, which was not requested")
        for kind in sorted(kinds - reply.sums.keys()):
            raise RefusedReply(f"it has no sums of {kind}")
        for kind, sums in reply.sums.items():
            self._check_like(sums, kind, len(asked))
        for kind, named in reply.rows.items():
            self._check_like(named, kind, len(clients))
        _expect(set(reply.excluded) <= set(clients.tolist()), "it excludes clients that were not requested")
        changes = self._changes(reply.sums.get("parameters", {}), reply.weights)
        changes_each = self._changes(reply.rows.get("parameters", {}), np.ones(len(clients)))
        # Parameters that change by a finite length are finite.
        doubted = [kind for kind in reply.sums if kind != "parameters" or not np.isfinite(changes).all()]
        finite = [(name, _finite(array)) for kind in doubted for name, array in reply.sums[kind].items()]
        finite_rows = [(name, _finite(array)) for named in reply.rows.values() for name, array in named.items()]
        variances = [(name, _not_negative(array)) for name, array in _variances(reply.rows or reply.sums)]
        checked: list[BlockResult | tuple[Block, str]] = []
        for place, (result, part) in enumerate(zip(block_results(asked, reply), reply.blocks.slices(), strict=True)):
            try:
                self._check_weight(result)
                for name, sound in finite:
                    _expect(bool(sound[place]), f"its {name} is not finite")
                for name, sound in finite_rows:
                    _expect(bool(sound[part].all()), f"its {name} is not finite")
                for name, sound in variances:
                    if reply.rows:
                        _refuse(result, sound[part], f"its {name}, a variance, is negative")
                    else:
                        _expect(bool(sound[place]), f"its {name}, a variance, is negative")
                if self._private is not None:
                    bits_hold = np.isin(result.metrics["unclipped"], (0, 1)).all()
                    _expect(bool(bits_hold), "its unclipped are not 0 or 1 for each client")
                used = result.metrics["examples"] > 0
                longest = max(changes[place], np.max(changes_each[part][used], initial=0.0))
                if not longest <= self._limits.update_norm:
                    raise RefusedReply(
                        f"it changes the weights by {longest:.3g}, more than federation.limits.update_norm"
                    )
            except RefusedReply as refusal:
                checked.append((result.block, str(refusal)))
            else:
                checked.append(result)
        return checked

    def _check_like(self, arrays: NamedArrays, kind: str, rows: int) -> None:
        expected_like = self._buffers if kind.endswith(BUFFERS) else self._like
        if set(arrays) != set(expected_like):
            raise RefusedReply(f"it has {kind} named {sorted(arrays)}")
        for name, array in arrays.items():
            like = expected_like[name]
            expected = (rows, *like.shape)
            if array.shape != expected:
                raise RefusedReply(f"its {name} has the shape {array.shape}, not {expected}")
            if array.dtype != like.dtype:
                raise RefusedReply(f"its {name} is {array.dtype}, not {like.dtype}")

    def _changes(self, totals: NamedArrays, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """‖totals/weights − θ‖₂ of each row: (rows,); 0 where there is no weight, or nothing is sent.

        Where not all that is sent is finite, neither is this.
        """
        squares = np.zeros(len(weights))
        divisors = np.where(weights > 0, weights, 1.0)[:, None]
        with np.errstate(over="ignore", invalid="ignore"):
            for name, total in totals.items():
                flat, like = total.reshape(len(total), -1), self._like[name].reshape(-1)
                few = max(1, _AT_ONCE // max(1, like.size))
                for first in range(0, len(flat), few):
                    some = slice(first, first + few)
                    change = flat[some] / divisors[some].astype(flat.dtype)
                    change -= like
                    squares[some] += np.einsum("ij,ij->i", change, change)
            lengths: NDArray[np.float64] = np.where(weights > 0, np.sqrt(squares), 0.0 * squares)
        return lengths

    def _check_weight(self, result: BlockResult) -> None:
        clients = result.block.clients
        examples = self._sizes[np.searchsorted(self._clients, clients)]
        if result.excluded:
            examples = np.where(np.isin(clients, list(result.excluded)), 0, examples)
        _expect(
            np.array_equal(result.metrics["examples"], examples), "it claims other numbers of examples than there are"
        )
        if not self._weighs(result, examples):
            raise RefusedReply(f"it claims a weight of {result.weight:g} for {examples.sum()} examples")

    def _weighs(self, result: BlockResult, examples: Indices) -> bool:
        """Whether a block's weight is that of its clients, which have so many examples."""
        if self._weighting == "custom":
            own = np.where(examples > 0, result.metrics["weight"], 0)
            return bool((own >= 0).all() and np.isclose(result.weight, own.sum(), rtol=1e-9, atol=0))
        return bool(result.weight == (examples.sum() if self._weighting == "examples" else (examples > 0).sum()))


def _finite(array: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether all numbers of each array[i] are finite: (len(array),)."""
    flat = array.reshape(len(array), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        finite: NDArray[np.bool_] = np.isfinite(flat.sum(axis=1))
    # A sum is finite only if all that it adds up is, but one of large numbers may not be.
    for place in np.flatnonzero(~finite):
        finite[place] = np.isfinite(flat[place]).all()
    return finite


def _variances(kinds: dict[str, NamedArrays]) -> list[tuple[str, NDArray[Any]]]:
    """The running variances among what was sent, by name."""
    return [(name, array) for name, array in kinds.get(BUFFERS, {}).items() if name.endswith("running_var")]


def _refuse(result: BlockResult, sound: NDArray[np.bool_], reason: str) -> None:
    """Leave out the clients of a block that are not sound, where each one's weights are seen."""
    examples = result.metrics["examples"]
    for place in np.flatnonzero(~sound & (examples > 0)).tolist():
        result.refused[int(result.block.clients[place])] = reason
    result.metrics["examples"] = np.where(sound, examples, 0)


def _not_negative(array: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether no number of each array[i] is negative: (len(array),)."""
    lowest: NDArray[np.bool_] = array.reshape(len(array), -1).min(axis=1, initial=0) >= 0
    return lowest


def size_of(content: RecordDict) -> int:
    """The bytes of what a message brings, without reading it."""
    arrays = sum(_bytes(array) for record in content.array_records.values() for array in record.values())
    settings = sum(record.count_bytes() for record in content.config_records.values())
    return arrays + settings + sum(record.count_bytes() for record in content.metric_records.values())


def _bytes(array: Array) -> int:
    return int(array.numpy().nbytes) if isinstance(array, LiveArray) else len(array.data)


def _expect(holds: bool, complaint: str) -> None:
    if not holds:
        raise RefusedReply(complaint)
