"""Models: a registry of `torch.nn.Module` builders, and their stacked form for training many at once."""

from __future__ import annotations

from functools import lru_cache

import torch

from common import seeds
from common.models.layout import Layout, Weights
from common.models.mlp import MLP
from common.scenario.model import Model

__all__ = ["DTYPES", "MLP", "Layout", "Weights", "blank", "build"]

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def build(spec: Model, features: int, outputs: int, seed: int) -> MLP:
    """The scenario's network for rows of `features` numbers, its weights drawn from `seed`."""
    with torch.device("meta"):
        network = MLP(features, spec.layers, outputs, spec.activation, DTYPES[spec.dtype])
    network = network.to_empty(device="cpu")
    network.initialize(seeds.torch_generator(seed, "init"))
    return network


@lru_cache(maxsize=8)
def blank(spec: Model, features: int, outputs: int) -> MLP:
    """The same network without weights of its own, for `forward_stack`; one for all who ask."""
    with torch.device("meta"):
        return MLP(features, spec.layers, outputs, spec.activation, DTYPES[spec.dtype])
