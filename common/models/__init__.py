"""Models: a registry of `torch.nn.Module` builders, and their stacked form for training many at once."""

from __future__ import annotations

from functools import lru_cache

import torch

from common import seeds
from common.data.data_spec import DataSpec
from common.models.layout import Layout, Weights
from common.models.mlp import DTYPES, MLP, Step
from common.models.outputs import Output
from common.scenario.model import Model

__all__ = ["DTYPES", "MLP", "Layout", "Output", "Step", "Weights", "bare", "blank", "build"]


def build(spec: Model, data_spec: DataSpec, seed: int) -> MLP:
    """The scenario's network for examples as they were agreed, its weights drawn from `seed`."""
    network = on_meta(spec, data_spec)
    # Not to_empty(), which takes seconds to import what it needs.
    room = {name: torch.empty(tensor.shape, dtype=tensor.dtype) for name, tensor in network.state_dict().items()}
    network.load_state_dict(room, assign=True)
    network.initialize(seeds.torch_generator(seed, "init"))
    return network


def on_meta(spec: Model, data_spec: DataSpec) -> MLP:
    """A new network without memory for its weights, which are to be assigned (PyTorch's device `meta`)."""
    with torch.device("meta"):
        return MLP(spec, data_spec.features, Output.of(spec, data_spec))


def stateless(spec: Model, data_spec: DataSpec) -> MLP:
    """The same network without weights of its own, for `forward_stack`; one for all who ask."""
    return _blank(spec, data_spec.features, Output.of(spec, data_spec))


@lru_cache(maxsize=8)
def _blank(spec: Model, features: int, output: Output) -> MLP:
    with torch.device("meta"):
        return MLP(spec, features, output)
