"""Synthetic(α, β): every client has a model and features of its own (Li et al. 2020, FedProx, section 5.1).

    x ~ N(v, Σ), Σ diagonal with Σ_jj = j^−1.2, v_j ~ N(B, 1), B ~ N(0, β)
    y = argmax softmax(W x + b), W, b ~ N(u, 1), u ~ N(0, α)

α and β are standard deviations, as in the authors' code; its sizes are int(lognormal(4, 2)) + 50. The iid variant has
v = 0 and one W, b ~ N(0, 1) for all.
"""

from __future__ import annotations

import numpy as np

from common import seeds
from common.data.cache import scratch
from common.data.table import Table
from common.scenario.base import key
from common.scenario.sources import SourcePart


class SyntheticSource(SourcePart, name="synthetic", runs="common.data.sources.synthetic"):
    """Synthetic(α, β) of FedProx: every client has a model and features of its own (Li et al. 2020, section 5.1)."""

    clients: int = key("How many clients; use partition: natural.", 30, unit="clients", ge=1, le=100_000)
    alpha: float = key("How much the clients' models differ.", 1.0, unit="none", ge=0)
    beta: float = key("How much the clients' features differ.", 1.0, unit="none", ge=0)
    iid: bool = key("One model and one kind of features for all; alpha and beta decide nothing.", False)
    most_rows: int = key("No client has more examples.", 10_000, unit="examples", ge=51)


seeded = True

_FEATURES, _CLASSES = 60, 10


def fingerprint(spec: SyntheticSource) -> str:
    """Nothing: the examples follow from the settings and the seed."""
    return "synthetic"


def read(spec: SyntheticSource, seed: int) -> Table:
    """The examples of all clients, which are the table's natural groups."""
    draw = seeds.generator(seed, "synthetic")
    sizes = np.minimum(draw.lognormal(4.0, 2.0, spec.clients), spec.most_rows).astype(np.int64) + 50
    sizes = np.minimum(sizes, spec.most_rows)
    models, features = draw.normal(0, spec.alpha, spec.clients), draw.normal(0, spec.beta, spec.clients)
    deviations = np.sqrt(np.arange(1, _FEATURES + 1) ** -1.2)
    shared_w, shared_b = draw.normal(size=(_FEATURES, _CLASSES)), draw.normal(size=_CLASSES)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    x, y = scratch((int(starts[-1]), _FEATURES), np.float32), np.empty(starts[-1], np.int64)
    for client in range(spec.clients):
        own = seeds.generator(seed, "synthetic", client)
        centre = np.zeros(_FEATURES) if spec.iid else own.normal(features[client], 1, _FEATURES)
        w = shared_w if spec.iid else own.normal(models[client], 1, (_FEATURES, _CLASSES))
        b = shared_b if spec.iid else own.normal(models[client], 1, _CLASSES)
        rows = centre + deviations * own.normal(size=(sizes[client], _FEATURES))
        mine = slice(starts[client], starts[client + 1])
        x[mine], y[mine] = rows, (rows @ w + b).argmax(axis=1)
    groups = np.repeat(np.arange(spec.clients), sizes)
    width = len(str(spec.clients - 1))
    return Table(
        x,
        y,
        "classification",
        list(range(_CLASSES)),
        row_shape=(_FEATURES,),
        groups=groups,
        group_names=[f"{client:0{width}d}" for client in range(spec.clients)],
    )
