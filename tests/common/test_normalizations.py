"""A normalized network in use computes the same as a module, in a stack and by the formula."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from common.models import Layout, build, stateless
from common.models.model_file import load_model, to_bytes
from common.models.predictor import Predictor
from common.scenario.model import MLPModel
from tests.federations import data_spec

TWO = data_spec("classification", 3, ("a", "b"))


def worn(spec: MLPModel, seed: int) -> torch.nn.Module:
    """A network whose normalizations are no longer the identity."""
    network = build(spec, TWO, seed).eval()
    generator = torch.Generator().manual_seed(seed)
    for tensor in network.norms.state_dict().values():
        tensor.uniform_(0.5, 2, generator=generator)
    return network


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_a_module_equals_its_place_in_a_stack_and_the_formula(kind: str) -> None:
    spec = MLPModel.model_validate(
        {"layers": [5, 4], "activation": "tanh", "normalization": {"name": kind, "eps": 0.01}, "dtype": "float64"}
    )
    networks = [worn(spec, seed) for seed in range(4)]
    layout = Layout.of(networks[0])
    flat = torch.cat([layout.flatten(dict(network.state_dict()), 1) for network in networks])
    x = torch.randn(4, 7, 3, dtype=torch.float64)
    together = stateless(spec, TWO).forward_stack(layout.views(flat), x)
    for network, rows, stacked in zip(networks, x, together, strict=True):
        assert torch.allclose(network(rows), stacked, atol=1e-13)
        state, z = network.state_dict(), rows
        for layer in range(2):
            z = z @ state[f"layers.{layer}.weight"].T
            if kind == "layer":
                z = z + state[f"layers.{layer}.bias"]
                mean, variance = z.mean(1, keepdim=True), z.var(1, unbiased=False, keepdim=True)
            else:
                mean, variance = state[f"norms.{layer}.running_mean"], state[f"norms.{layer}.running_var"]
            z = (z - mean) / (variance + 0.01).sqrt() * state[f"norms.{layer}.weight"] + state[f"norms.{layer}.bias"]
            z = z.tanh()
        assert torch.allclose(z @ state["layers.2.weight"].T + state["layers.2.bias"], stacked, atol=1e-13)


def test_a_dense_layer_before_batch_normalization_has_no_bias() -> None:
    names = {kind: dict(build(MLPModel.model_validate({"normalization": kind}), TWO, 0).named_parameters()) for kind in
             ("none", "batch", "layer")}  # fmt: skip
    assert {"layers.0.bias", "layers.1.bias", "layers.2.bias"} <= names["none"].keys() & names["layer"].keys()
    assert {name for name in names["batch"] if name.startswith("layers.") and "bias" in name} == {"layers.2.bias"}


def test_running_statistics_are_saved_with_a_model(tmp_path: Path) -> None:
    spec = MLPModel.model_validate({"layers": [5], "normalization": "batch"})
    model = Predictor(worn(spec, 1), spec, TWO).eval()
    (tmp_path / "model.safetensors").write_bytes(to_bytes(model))
    loaded = load_model(tmp_path / "model.safetensors")
    x = torch.randn(6, 3)
    assert torch.equal(loaded(x), model(x))
    assert torch.equal(loaded.network.norms[0].running_var, model.network.norms[0].running_var)
