"""Models: networks by their options, and their stacked form for training many at once."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import torch

from common import seeds
from common.data.data_spec import DataSpec
from common.errors import InputError
from common.models.layout import Layout, Weights
from common.models.mlp import MLP
from common.models.network import DTYPES, Network, Step
from common.models.outputs import Output
from common.scenario import Scenario
from common.scenario.model import MLPModel, ModelPart

__all__ = [
    "DTYPES",
    "MLP",
    "Layout",
    "Network",
    "Output",
    "Step",
    "Weights",
    "array_shapes",
    "build",
    "check_network",
    "is_within",
    "on_meta",
    "stateless",
]


def build(spec: ModelPart, data_spec: DataSpec, seed: int, stacked: str = "auto") -> Network:
    """The scenario's network for examples as they were agreed, its weights drawn from `seed`.

    Raises InputError for a network that does not fit the data.
    """
    network = on_meta(spec, data_spec, stacked)
    if isinstance(network, MLP):
        # Not to_empty(), which takes seconds to import what it needs.
        room = {name: torch.empty(tensor.shape, dtype=tensor.dtype) for name, tensor in network.arrays().items()}
        network.assign(room)
    network.initialize(seeds.torch_generator(seed, "init"))
    for child in spec.frozen:
        if not any(is_within(name, [child]) for name, _ in network.named_parameters()):
            known = ", ".join(dict.fromkeys(name.rpartition(".")[0] for name, _ in network.named_parameters()))
            raise InputError(f"no child {child} with weights; there are {known}", "model.frozen")
    return network


def check_network(scenario: Scenario, network: Network) -> None:
    """Raise InputError where clients are to look at features that the network does not have, or at outputs in vain."""
    strategy, training = scenario.federation.strategy, scenario.training
    if strategy.needs_features and not network.has_features:
        raise InputError(f"expected a network whose forward calls its own features(x), for {strategy.name}", "model")
    if network.own_loss and training.loss.name != "auto":
        raise InputError(f"expected it left out: {scenario.model.name} brings a loss", "training.loss")
    if network.own_loss and training.mixup is not None:
        raise InputError(
            f"expected it left out: it mixes the scenario's loss, and {scenario.model.name} brings one",
            "training.mixup",
        )


def is_within(array: str, children: Collection[str]) -> bool:
    """Whether an array, by its name, is in one of the children of a network."""
    return any(f"{array}.".startswith(f"{child}.") for child in children)


def on_meta(spec: ModelPart, data_spec: DataSpec, stacked: str = "auto") -> Network:
    """A new network whose weights are to be assigned; an MLP has no memory for them (PyTorch's device `meta`)."""
    output = Output.of(spec, data_spec)
    if not isinstance(spec, MLPModel):
        # torch.func takes a while to import.
        from common.models.own import OwnNetwork

        return OwnNetwork(spec, data_spec, output, 0, stacked)
    with torch.device("meta"):
        return MLP(spec, data_spec.features, output)


def array_shapes(spec: ModelPart, data_spec: DataSpec) -> dict[str, tuple[int, ...]]:
    """The shapes of a network's arrays by name, found without memory for them."""
    if isinstance(spec, MLPModel):
        return {name: tuple(tensor.shape) for name, tensor in on_meta(spec, data_spec).arrays().items()}
    from common.models.own import shapes_of

    return shapes_of(spec, data_spec, Output.of(spec, data_spec))


@lru_cache(maxsize=8)
def stateless(spec: ModelPart, data_spec: DataSpec, stacked: str = "auto") -> Network:
    """The same network for `forward_stack`, which does not use weights of its own; one for all who ask."""
    return on_meta(spec, data_spec, stacked)
