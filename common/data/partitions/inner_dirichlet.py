"""Shards of given sizes, each with label proportions of its own from a Dirichlet (Acar et al. 2021, appendix)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from common import seeds
from common.data.partitions.flower import labels_of
from common.data.partitions.iid import even
from common.data.prepared import Indices, Shards
from common.data.table import Table
from common.errors import InputError
from common.scenario.base import key
from common.scenario.partitions import Clients, PartitionPart, clients_key


class InnerDirichletPartition(PartitionPart, name="inner_dirichlet", runs=":cut"):
    """Shards of given sizes (equal by default), each with label proportions of its own from a Dirichlet."""

    leaves_over: ClassVar[str] = "the sizes add up to fewer"
    clients: Clients = clients_key()
    alpha: float = key("Concentration: small is skewed, large is even.", 0.5, gt=0, unit="none")
    sizes: tuple[Annotated[int, Field(ge=1)], ...] | None = key(
        "Examples of each client; equal shares if left out.", None, unit="examples", strict=False
    )


def cut(spec: InnerDirichletPartition, table: Table, rows: Indices, seed: int) -> Shards:
    """For each client, proportions over the labels of the training examples from Dirichlet(alpha, …, alpha).

    Where a label runs out, the clients that wanted more of it take the others in their own proportions; a client that
    wanted none of what is left takes it in the proportions in which it is left.
    """
    sizes = np.array(spec.sizes if spec.sizes is not None else even(rows, spec.clients).sizes, dtype=np.int64)
    if len(sizes) != spec.clients:
        raise InputError(f"expected {spec.clients} sizes, one per client, got {len(sizes)}", "data.partition.sizes")
    if sizes.sum() > len(rows):
        raise InputError(f"{sizes.sum()} examples, but only {len(rows)} to train on", "data.partition.sizes")
    _, labels = np.unique(labels_of(table, rows, spec.scheme), return_inverse=True)
    there, draw = np.bincount(labels), seeds.generator(seed, "inner dirichlet")
    wanted = draw.dirichlet(np.full(len(there), spec.alpha), len(sizes))
    counts = _dealt(wanted, sizes, there, draw)
    parts: list[list[Indices]] = [[] for _ in sizes]
    for label in range(len(there)):
        mine = draw.permutation(rows[labels == label])
        for part, own in zip(parts, np.split(mine, np.cumsum(counts[:, label]))[:-1], strict=True):
            part.append(own)
    return Shards.of([draw.permutation(np.concatenate(part)) for part in parts])


def _dealt(wanted: NDArray[np.float64], sizes: Indices, there: Indices, draw: np.random.Generator) -> NDArray[np.int64]:
    """Examples of each label for each client, (clients, labels): `sizes` (clients,) out of `there` (labels,)."""
    counts, left, shares = np.zeros(wanted.shape, np.int64), there.copy(), wanted.copy()
    while (open_ := sizes - counts.sum(axis=1)).any():
        shares[:, left == 0] = 0
        shares[shares.sum(axis=1) == 0] = left
        shares /= shares.sum(axis=1, keepdims=True)
        asked = draw.multinomial(open_, shares)
        for label in np.flatnonzero(asked.sum(axis=0)):
            if asked[:, label].sum() > left[label]:
                # Who gets the last ones is drawn row by row among those that ask.
                asked[:, label] = draw.multivariate_hypergeometric(asked[:, label], left[label])
        counts += asked
        left -= asked.sum(axis=0)
    return counts
