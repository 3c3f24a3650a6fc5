"""How to train, in the terms of kernel/work.h: the network, its loss, its optimizer and every constant."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from common.losses import Loss
from common.models import MLP, Network
from common.scenario.objective import loss_name
from common.scenario.training import Training
from common.settings import ClientSettings
from common.stacks import is_zero

# The names in the order of the enumerations in kernel/work.h.
_ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu")
_OUTPUTS = ("softmax", "sigmoid", "linear")
_NORMALIZATIONS = ("none", "batch", "layer")
_PARTS = ("layers.{}.weight", "layers.{}.bias", "norms.{}.weight", "norms.{}.bias")
_LOSSES = ("cross_entropy", "binary_cross_entropy", "mse", "half_mse", "huber")


@dataclass(frozen=True)
class _Optimizer:
    """An optimizer's place in its enumeration, and what it keeps for each parameter."""

    code: int
    first: str = ""
    """The setting that says how much of the first state is kept."""
    second: str = ""
    states: tuple[tuple[str, str], ...] = ()
    """Name of each state, and the setting without which it is not needed."""


_OPTIMIZERS = {
    "sgd": _Optimizer(0, "momentum", states=(("velocity", "momentum"),)),
    "momentum": _Optimizer(1, "momentum", states=(("velocity", ""),)),
    "averaged_momentum": _Optimizer(2, "momentum", states=(("velocity", ""),)),
    "adagrad": _Optimizer(3, states=(("squares", ""),)),
    "rmsprop": _Optimizer(4, "decay", "momentum", (("squares", ""), ("velocity", "momentum"))),
    "adam": _Optimizer(5, "beta1", "beta2", (("m", ""), ("v", ""))),
    "adamw": _Optimizer(6, "beta1", "beta2", (("m", ""), ("v", ""))),
}

Members = dict[str, Any]
"""Members of `Work` by name."""


def network_members(network: MLP, features: int) -> Members:
    """The network's shape, activation and dropout."""
    spec = network.spec
    return {
        "layers": len(spec.layers) + 1,
        "widths": np.array([features, *spec.layers, network.output.width], dtype=np.int64),
        "activation": _ACTIVATIONS.index(spec.activation.name),
        "slope": float(getattr(spec.activation, "slope", 0.0)),
        "dropout": np.array([spec.input_dropout, *spec.dropouts]),
        "drop_connect": spec.drop_connect,
        "normalization": _NORMALIZATIONS.index(spec.normalization.name),
        "norm_eps": float(getattr(spec.normalization, "eps", 0.0)),
        "norm_momentum": float(getattr(spec.normalization, "momentum", 0.0)),
    }


def trained_members(network: Network, trained: Collection[str]) -> Members:
    """Which of the network's parameters are trained."""
    assert isinstance(network, MLP), "the compiled trainer trains MLPs"
    layers = range(len(network.layers))
    return {
        "trains": np.array([[part.format(layer) in trained for part in _PARTS] for layer in layers], dtype=np.int64)
    }


def loss_members(settings: ClientSettings, network: MLP, loss: Loss) -> Members:
    """How outputs are read, and what is minimized."""
    spec = settings.training.loss
    return {
        "output": _OUTPUTS.index(network.output.kind),
        "loss": _LOSSES.index(loss_name(spec, network.output.kind, network.output.task)),
        "smoothing": float(getattr(spec, "label_smoothing", 0.0)),
        "delta": float(getattr(spec, "delta", 0.0)),
        "class_weights": None if loss.class_weights is None else loss.class_weights.numpy(),
    }


def optimizer_members(training: Training, clients: int) -> Members:
    """The optimizer, the rules around its steps, and each client's constants."""
    options, rules = training.optimizer, training.regularization
    optimizer = _OPTIMIZERS[options.name]
    own = (optimizer.first, optimizer.second, "eps", "initial", "weight_decay")
    columns = (
        *(getattr(options, name, None) for name in own),
        rules.l1,
        rules.l2,
        rules.weight_decay,
        training.clip_value,
        training.clip_norm,
        rules.l1_budget,
        rules.l2_budget,
    )
    constants = np.zeros((clients, len(columns)))
    for column, value in enumerate(columns):
        if value is not None:
            constants[:, column] = value
    states = state_names(training)
    return {
        "optimizer": optimizer.code,
        "states": len(states),
        "nesterov": bool(getattr(options, "nesterov", False)),
        "regularized_biases": rules.biases,
        "fused": options.name == "sgd" and not states and not constants[:, 5:].any(),
        "clipped": training.clip_norm is not None,
        "constants": constants,
    }


def state_names(training: Training) -> list[str]:
    """What the optimizer keeps for each parameter from step to step."""
    options = training.optimizer
    states = _OPTIMIZERS[options.name].states
    return [name for name, key in states if not key or not is_zero(getattr(options, key))]
