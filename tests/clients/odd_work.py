"""Random work for the compiled trainer, odd shapes before all. Run by itself it does a lot of it.

    python -m tests.clients.odd_work LIBRARY SEEDS

does not import PyTorch, so that it can run under a sanitizer.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from clients.compiled.library import Library

WIDTHS = (1, 2, 7, 15, 16, 17, 33, 64, 130)
SIZES = (1, 2, 3, 16, 40, 300)
BATCHES = (0, 1, 2, 5, 8, 13, 128, 129, 1000)
CONSTANTS = 12


def odd_work(seed: int) -> dict[str, Any]:
    """Some network, some rows, some rules; every array is exactly as long as it must be."""
    rng = np.random.default_rng(seed)
    pick = lambda choices: choices[rng.integers(len(choices))]  # noqa: E731
    clients, layers = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    widths = np.array([pick(WIDTHS) for _ in range(layers + 1)], dtype=np.int64)
    if seed % 8 == 0:
        widths[0] = 784
    sizes = np.array([pick(SIZES) for _ in range(clients)], dtype=np.int64)
    batch = int(pick(BATCHES))
    per_epoch = -(-sizes // (np.minimum(batch, sizes) if batch else sizes))
    steps = rng.integers(0, 2 * per_epoch + 2)
    features, outputs, total = int(widths[0]), int(widths[-1]), int(sizes.sum())
    normalization, units = int(rng.integers(3)), int(widths[1:-1].sum())
    if normalization == 1 and not 1 <= batch <= 128:
        normalization = 2
    parameters = int(((widths[:-1] + 1) * widths[1:]).sum()) + (0, units, 2 * units)[normalization]
    numbers = parameters + (2 * units if normalization == 1 else 0)
    kind = int(rng.integers(3))
    x = rng.normal(size=(total + 3, features)) * 50
    raw = np.abs(x).astype(np.uint8) if kind == 0 else x.astype(np.float32 if kind == 1 else np.float64)
    optimizer, loss = int(rng.integers(7)), int(rng.integers(5))
    states = {0: int(rng.integers(2)), 1: 1, 2: 1, 3: 1, 4: 1 + int(rng.integers(2)), 5: 2, 6: 2}[optimizer]
    constants = np.zeros((clients, CONSTANTS))
    constants[:, 0] = rng.uniform(0.1, 0.9) if states else 0
    constants[:, 1:3] = 0.5, 1e-3
    rules = rng.random(CONSTANTS) < 0.3
    constants[:, 4:] = np.where(rules, rng.uniform(0.01, 0.1, (clients, CONSTANTS)), 0)[:, 4:]
    clipped, most, repeats = bool(rules[9]), max(1, int(steps.max())), 1 + 2 * int(rng.integers(2))
    proximal, controlled, mixed, dropped = (bool(rng.random() < 0.3) for _ in range(4))
    follow, shared = proximal and bool(rng.integers(2)), int(rng.integers(2))
    kept, rate_steps = bool(rng.integers(2)), 1 if rng.integers(2) else max(1, int(steps.max()))
    labels = bool(rng.integers(2)) or loss < 2
    going_on, as_they_come = bool(rng.integers(2)), bool(rng.integers(2))
    work: dict[str, Any] = {
        "layers": layers,
        "widths": widths,
        "activation": int(rng.integers(6)),
        "slope": 0.1,
        "dropout": np.where(rng.random(layers) < 0.3, 0.4, 0.0),
        "drop_connect": 0.3 * dropped,
        "normalization": normalization,
        "norm_eps": 1e-5,
        "norm_momentum": 0.1,
        "trains": rng.integers(0, 2, (layers, 4)) if rng.random() < 0.3 else np.ones((layers, 4), np.int64),
        "output": {0: 0, 1: 1}.get(loss, int(rng.integers(3))),
        "loss": loss,
        "smoothing": 0.1 * rng.integers(2),
        "delta": 0.5,
        "class_weights": rng.uniform(0.5, 2, max(2, outputs)).astype(np.float32)
        if loss < 2 and rng.integers(2)
        else None,
        "optimizer": optimizer,
        "states": states,
        "nesterov": int(rng.integers(2)),
        "regularized_biases": int(rng.integers(2)),
        "fused": optimizer == 0 and not states and not (constants[:, 5:].any() or proximal or controlled or dropped),
        "clipped": clipped,
        "constants": constants,
        "rates": rng.uniform(0.001, 0.05, (clients, rate_steps)),
        "rate_steps": rate_steps,
        "repeats": repeats,
        "clients": clients,
        "starts": np.concatenate([[0], np.cumsum(sizes)]),
        "steps": steps,
        "first": rng.integers(0, steps + 1) if going_on else None,
        "batch": batch,
        "rows": rng.permutation(total + 3)[:total],
        "labels": rng.integers(0, max(2, outputs) if outputs == 1 and loss else outputs, total) if labels else None,
        "targets": None if labels else rng.normal(size=(total, outputs)).astype(np.float32),
        "x": raw,
        "kind": kind,
        "fill": rng.normal(size=(clients, features)) if rng.integers(2) else None,
        "fill_stride": features,
        "shift": rng.normal(size=features) if rng.integers(2) else None,
        "scale": rng.uniform(50, 60, features),
        "order_keys": None if as_they_come else rng.integers(0, 2**63, clients).astype(np.uint64),
        "dropout_keys": rng.integers(0, 2**63, clients).astype(np.uint64),
        "connection_keys": rng.integers(0, 2**63, clients).astype(np.uint64),
        "mixup_keys": rng.integers(0, 2**63, clients).astype(np.uint64),
        "forks": rng.integers(0, 2**63, max(layers, most)).astype(np.uint64),
        "mixup": rng.random((clients, most)) if mixed else None,
        "mixup_steps": most,
        "start": (rng.normal(size=(clients, numbers)) / 8).astype(np.float32),
        "start_stride": numbers * int(rng.integers(2)),
        "trained": np.full((clients, numbers), np.nan, np.float32),
        "proximal": 0.1,
        "follow": 0.2 * follow,
        "origin": rng.normal(size=(clients, parameters)).astype(np.float32) if proximal else None,
        "origin_stride": parameters * (shared or follow),
        "control": rng.normal(size=(clients, parameters)).astype(np.float32) if controlled else None,
        "control_stride": parameters * shared,
        "taken": np.full(clients, 3.0) if kept else None,
        "losses": np.full(clients, np.nan),
    }
    for state in range(states if kept else 0):
        work[f"state_{state}"] = rng.uniform(0, 0.1, (clients, parameters)).astype(np.float32)
    return work


def results(work: dict[str, Any]) -> bytes:
    """The bits of all that a call writes."""
    return b"".join(
        work[name].tobytes()
        for name in ("trained", "losses", "state_0", "state_1", "origin")
        if work.get(name) is not None
    )


if __name__ == "__main__":
    library = Library(sys.argv[1])
    for number in range(int(sys.argv[2])):
        for lanes in (4, 8, 16):
            if lanes <= library.lanes:
                library.train(odd_work(number), lanes)
