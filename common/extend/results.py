"""What the clients of a round have sent, block by block, and what is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.arrays import NamedArrays
from common.data.prepared import Indices
from common.messages import BUFFERS


@dataclass(frozen=True)
class Block:
    """Clients that are trained by one host and summed together, in cohort order."""

    index: int
    """Its place in the order of summation."""
    clients: Indices
    """Their ids."""
    places: Indices
    """Where its clients stand in the cohort."""
    cost: float
    """An estimate of the work in it, in seconds."""
    node: int | None
    """The position of the node that must do it; None where any can."""


@dataclass(frozen=True)
class BlockResult:
    """One block's part of a reply."""

    block: Block
    weight: float
    """What the clients behind the sums count for in all: their training examples, mostly."""
    sums: dict[str, NamedArrays]
    """Named weighted sums: {"parameters": {name: Σ rows·θ}}, and what else the method sends."""
    rows: dict[str, NamedArrays]
    """Named arrays of each of the block's clients, for strategies that need each: (clients, *shape)."""
    metrics: NamedArrays
    """Numbers of each of the block's clients, (clients,)."""
    excluded: dict[int, str]
    """Clients that are in no sum, and why."""
    refused: dict[int, str] = field(default_factory=dict)
    """Clients that sent what no honest one can, and why: they count as if they had not taken part."""

    @property
    def took_part(self) -> NDArray[np.bool_]:
        """Which of the block's clients are in the sums, (clients,)."""
        took_part: NDArray[np.bool_] = self.metrics["examples"] > 0
        return took_part


def total(results: list[BlockResult], kind: str = "parameters") -> NamedArrays:
    """The weighted sum over all clients of the results, added up in block order."""
    totals = {name: array.copy() for name, array in results[0].sums[kind].items()}
    for result in results[1:]:
        for name, array in totals.items():
            array += result.sums[kind][name]
    return totals


def mean(results: list[BlockResult], kind: str = "parameters") -> NamedArrays:
    """The weighted mean over all clients of the results, added up in block order."""
    weight = sum(result.weight for result in results)
    return {name: array / array.dtype.type(weight) for name, array in total(results, kind).items()}


def client_metrics(results: list[BlockResult], *names: str) -> list[NDArray[Any]]:
    """These numbers of each client that took part, in block order: (clients,) each."""
    return [np.concatenate([result.metrics[name][result.took_part] for result in results]) for name in names]


def client_weights(results: list[BlockResult]) -> NamedArrays:
    """The parameters and buffers of each client that took part, in block order: (clients, *shape)."""
    return {
        name: np.concatenate([result.rows[kind][name][result.took_part] for result in results])
        for kind in ("parameters", BUFFERS)
        for name in results[0].rows.get(kind, {})
    }
