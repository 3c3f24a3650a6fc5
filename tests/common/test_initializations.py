"""Weights are drawn as the papers say, from the seed alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from scipy.stats import kstest, norm, uniform
from torch import Tensor

from common.models import build
from common.scenario.model import MLPModel
from tests.federations import data_spec

INPUTS, UNITS = 300, 200


def first_layer(initialization: Any, activation: Any = "relu", **more: Any) -> tuple[Tensor, Tensor]:
    """The weights (units, inputs) and biases (units,) of a fresh network's first layer."""
    parts = {"layers": [UNITS], "initialization": initialization, "activation": activation, **more}
    network = build(MLPModel.model_validate(parts), data_spec("classification", INPUTS, ("a", "b")), seed=3)
    return network.layers[0].weight.detach(), network.layers[0].bias.detach()


def spread(bound: float) -> Any:
    """Uniform within ± bound."""
    return uniform(-bound, 2 * bound)


LEAKY = {"name": "leaky_relu", "slope": 0.5}
DISTRIBUTIONS: dict[str, tuple[Any, Any, Any]] = {
    "default": ("default", "relu", spread(1 / math.sqrt(INPUTS))),
    "normal": ({"name": "normal", "std": 0.2}, "relu", norm(0, 0.2)),
    "xavier uniform": ("xavier_uniform", "tanh", spread(math.sqrt(6 / (INPUTS + UNITS)))),
    "xavier uniform with gain": (
        {"name": "xavier_uniform", "gain": 2.0},
        "tanh",
        spread(2 * math.sqrt(6 / (INPUTS + UNITS))),
    ),
    "xavier normal": ("xavier_normal", "tanh", norm(0, math.sqrt(2 / (INPUTS + UNITS)))),
    "he uniform": ("he_uniform", "relu", spread(math.sqrt(3 * 2 / INPUTS))),
    "he uniform, leaky": ("he_uniform", LEAKY, spread(math.sqrt(3 * 2 / (1 + 0.25) / INPUTS))),
    "he normal": ("he_normal", "relu", norm(0, math.sqrt(2 / INPUTS))),
    "he normal, leaky": ("he_normal", LEAKY, norm(0, math.sqrt(2 / (1 + 0.25) / INPUTS))),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_weights_are_of_the_distribution_and_biases_zero(name: str) -> None:
    initialization, activation, distribution = DISTRIBUTIONS[name]
    weight, bias = first_layer(initialization, activation)
    # 60,000 draws: a spread that is off by a fiftieth is found out.
    assert kstest(weight.flatten().numpy(), distribution.cdf).pvalue > 0.01
    if name == "default":
        assert kstest(bias.numpy(), distribution.cdf).pvalue > 0.01
    else:
        assert not bias.any()


def test_zeros_are_zeros() -> None:
    assert not any(tensor.any() for tensor in first_layer("zeros"))


def test_orthogonal_rows_are_orthogonal_and_as_long_as_the_gain() -> None:
    weight, bias = first_layer({"name": "orthogonal", "gain": 3.0}, dtype="float64")
    assert torch.allclose(weight @ weight.T, 9 * torch.eye(UNITS, dtype=weight.dtype), atol=1e-4)
    assert not bias.any()


@pytest.mark.parametrize("name", ["default", "normal", "xavier_uniform", "he_normal", "orthogonal"])
def test_both_number_formats_start_from_the_same_numbers(name: str) -> None:
    for single, double in zip(first_layer(name), first_layer(name, dtype="float64"), strict=True):
        assert torch.equal(single.double(), double)


def test_normalizations_start_as_the_identity() -> None:
    for kind in ("batch", "layer"):
        spec = MLPModel(layers=(4,), normalization={"name": kind})  # type: ignore[arg-type]
        state = build(spec, data_spec("classification", 3, ("a", "b")), seed=0).norms.state_dict()
        ones = {name for name, tensor in state.items() if torch.equal(tensor, torch.ones(4))}
        zeros = {name for name, tensor in state.items() if torch.equal(tensor, torch.zeros(4))}
        assert ones == {name for name in state if name.endswith(("weight", "running_var"))}
        assert ones | zeros == set(state)
