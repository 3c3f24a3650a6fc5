"""Run by tests in a process of its own: cases on a pretended card and on the processor, one JSON object a case.

The card comes first: PyTorch's gradients know the devices that were there before the first of them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import tests.pretend_card  # noqa: F401  # isort: skip

import numpy as np
import torch
from safetensors.numpy import load_file

from clients.blocks.blocks import train_blocks
from tests.cards import pretended
from tests.federations import federation, scenario, train_order
from tests.strategies import every_strategy

SMALL: dict[str, Any] = {
    "data": {
        "source": {"kind": "sklearn", "name": "digits"},
        "partition": {"scheme": "size", "sizes": [20, 13, 9, 8, 6, 5, 4, 1]},
        "test_fraction": 0.1,
        "validation_fraction": 0.1,
        "client_holdout": 0.2,
        "scale": "none",
    },
    "model": {"layers": [9]},
    "training": {"batch_size": 8, "trainer": "torch"},
    "federation": {"rounds": 2, "clients_per_round": 6, "blocks": 2},
}
"""Ragged batches, one client with a single example."""
EVERYTHING = [
    "model={layers: [9, 7], dropout: 0.2, input_dropout: 0.1, drop_connect: 0.1, normalization: batch}",
    "training.mixup=0.3",
    "training.loss={name: cross_entropy, class_weights: balanced, label_smoothing: 0.1}",
    "training.optimizer=adamw",
    "training.optimizer_state=client",
    "training.schedule=[{name: cosine, by: step}, {name: warmup, length: 3, by: step}]",
    "training.clip_norm=0.5",
    "training.clip_value=0.1",
    "training.regularization={l1: 0.01, l2: 0.01, weight_decay: 0.01, l1_budget: 50, l2_budget: 9, biases: true}",
]
CASES: dict[str, list[str]] = {
    **every_strategy(),
    "everything": EVERYTHING,
    "augmented": ["training.augmentation=[{kind: shift}, {kind: noise}]"],
    "early stopping": ["training.early_stopping={patience: 1}", "data.client_holdout=0.3", "training.epochs=3"],
    "full batches": ["training.batch_size=full", "model.dtype=float64"],
    "layer normalization": ["model.normalization=layer", "training.optimizer={name: rmsprop, momentum: 0.5}"],
    "private": ["federation.privacy={noise_multiplier: 1.0}"],
}


def own_scenario(name: str, stacked: str = "no") -> dict[str, Any]:
    """The same with a network of one's own, all clients in one stack."""
    return {
        **SMALL,
        "uses": ["nets.py"],
        "model": {"name": name},
        "training": {"batch_size": 8, "stacked": stacked},
        "federation": {"rounds": 2, "clients_per_round": 1.0, "blocks": 1},
    }


def compared(name: str, folder: Path) -> dict[str, Any]:
    """A case both ways: how far the models are apart, and what was counted; of a network of one's own by its name."""
    import hothouse
    from tests.clients.test_own_networks import NETS

    overrides = CASES.get(name, [])
    chosen = SMALL
    if name == "own loop":
        starter = (Path(hothouse.__file__).parent / "starters" / "loop.txt").read_text()
        (folder / "loop.py").write_text(starter)
        chosen = SMALL | {"uses": ["loop.py"], "training": {"batch_size": 8}}
        overrides = ["federation.strategy=plain_loop"]
    elif name.startswith("own "):
        chosen = own_scenario(*name.split()[1:])
        (folder / "nets.py").write_text(NETS)
    made = hothouse.run(chosen, overrides=overrides, engine="local", out=folder / "processor")
    with pretended(torch.device("card")) as counts:
        card = [*overrides, "training.device=cuda", "training.stack=64"]
        there = hothouse.run(chosen, overrides=card, engine="local", out=folder / "card")
    both = [load_file(run.folder / "model.safetensors") for run in (made, there)]
    apart = [np.abs(made.metrics.train_loss - there.metrics.train_loss).max()]
    apart += [np.abs(both[0][array] - both[1][array]).max(initial=0) for array in both[0]]
    events = (there.folder / "events.jsonl").read_text()
    return {"difference": float(max(apart)), "excluded": "excluded" in events, **there.summary, **counts}


def blocks(epochs: int, folder: Path) -> dict[str, Any]:
    """The same for a message alone, of clients with whatever training can do."""
    prepared = federation(folder, [20, 13, 9, 8, 6, 5, 4, 1])
    options = {"epochs": epochs, "batch_size": 8, "trainer": "torch", "stack": 4, "optimizer": "adam"}
    options |= {"schedule": {"name": "cosine", "by": "step"}, "mixup": 0.3, "clip_norm": 0.5}
    model = {"layers": [6, 5], "dropout": 0.2, "drop_connect": 0.1, "normalization": "batch"}
    chosen = scenario(model=model, training=options)
    order = [[0, 1, 2, 3], [4, 5, 6, 7]]
    made = train_blocks(prepared, train_order(chosen, prepared, order))
    with pretended(torch.device("card")) as counts:
        training = chosen.training.model_copy(update={"device": "cuda"})
        there = train_blocks(prepared, train_order(chosen.model_copy(update={"training": training}), prepared, order))
    pairs = [(array, there.sums[kind][name]) for kind, arrays in made.sums.items() for name, array in arrays.items()]
    return {
        "difference": max(float(np.abs(one - other).max()) for one, other in pairs),
        "excluded": bool(there.excluded),
        **counts,
    }


if __name__ == "__main__":
    for case in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            kind, _, epochs = case.partition(" blocks ")
            found = blocks(int(epochs), Path(folder)) if kind == "message" else compared(case, Path(folder))
            print(json.dumps({"case": case, **found}), flush=True)
