"""How unevenly a federation's data is spread, in the numbers that people quote."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.data.prepared import Indices, Prepared


def label_counts(prepared: Prepared, clients: Indices | None = None) -> Indices:
    """How many examples of each label these clients have (all of them if left out): (clients, labels).

    Training and held-out examples count together.
    """
    chosen = prepared.clients if clients is None else clients
    counts = np.zeros((len(chosen), len(prepared.meta.labels)), dtype=np.int64)
    for place, client in enumerate(chosen.tolist()):
        for examples in (prepared.training_examples(client), prepared.holdout_examples(client)):
            counts[place] += np.bincount(prepared.y[examples], minlength=counts.shape[1])
    return counts


def target_percentiles(prepared: Prepared, clients: Indices) -> NDArray[np.float64]:
    """The 5th, 25th, 50th, 75th and 95th percentile of the first target in each client's examples: (clients, 5)."""
    found = np.full((len(clients), 5), np.nan)
    for place, client in enumerate(clients.tolist()):
        examples = np.concatenate([prepared.training_examples(client), prepared.holdout_examples(client)])
        if len(examples):
            found[place] = np.percentile(prepared.y[examples, 0], [5, 25, 50, 75, 95])
    return found


def label_entropies(counts: Indices) -> NDArray[np.float64]:
    """−Σ p ln p over each client's label shares p, in nats: (clients, labels) → (clients,)."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(-(shares * logs).sum(axis=1))


def effective_labels(counts: Indices) -> NDArray[np.float64]:
    """exp(entropy): how many equally frequent labels would be as varied as each client's (Hill 1973, order 1)."""
    return np.exp(label_entropies(counts))


def gini(sizes: Indices) -> float:
    """The Gini coefficient of the shard sizes: 0 where all are equal, near 1 where one client has everything."""
    ordered = np.sort(sizes).astype(np.float64)
    count = len(ordered)
    ranks = np.arange(1, count + 1)
    return float(2 * (ranks * ordered).sum() / (count * ordered.sum()) - (count + 1) / count)
