"""Labels permuted by cluster: what one cluster calls a 3, another calls a 7."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common import seeds
from common.data.prepared import Indices
from common.data.skews.owned import ClientExamples
from common.errors import InputError
from common.scenario.base import key
from common.scenario.skews import SkewPart


class LabelSkew(SkewPart, name="label_permutation", runs=":change"):
    """Clients fall into clusters, and each cluster calls the classes by other names (concept skew)."""

    clusters: int = key(
        "How many; client i is in cluster i mod clusters, and the first keeps the true labels.",
        2,
        unit="clusters",
        ge=2,
    )


_MANY = 13
"""So many labels have more permutations than there can be clients."""


def change(spec: LabelSkew, examples: ClientExamples, draw: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Labels by the permutation of the client's cluster; the first cluster keeps the true ones."""
    if examples.table.task != "classification":
        raise InputError("label_permutation needs labels, but the task is a regression", "data.skew")
    labels = len(examples.table.labels)
    if labels < _MANY and spec.clusters > math.factorial(labels):
        raise InputError(
            f"label_permutation: expected at most {math.factorial(labels)} clusters, since {labels} labels have no "
            f"more permutations; got {spec.clusters}",
            "data.skew",
        )
    return examples.x, _permutations(examples.seed, labels, spec.clusters)[examples.client % spec.clusters][examples.y]


@lru_cache(maxsize=1)
def _permutations(seed: int, labels: int, clusters: int) -> list[Indices]:
    """A permutation for each cluster, the identity first; no two are alike."""
    found, known = [np.arange(labels)], {tuple(range(labels))}
    for cluster in range(1, clusters):
        draw = seeds.generator(seed, "concept", cluster)
        while tuple(permutation := draw.permutation(labels)) in known:
            pass
        known.add(tuple(permutation))
        found.append(permutation)
    return found
