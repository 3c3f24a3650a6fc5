"""The network alone and in a stack compute the same; what a user gets back takes raw rows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from common.models import Layout, build, stateless
from common.models.model_file import load_model, to_bytes
from common.models.predictor import Predictor
from common.scenario.model import MLPModel
from tests.federations import data_spec

SPEC = MLPModel(layers=(5, 4), dtype="float64")
TWO = data_spec("classification", 3, ("a", "b"))


def test_a_stack_computes_what_its_networks_compute_alone() -> None:
    networks = [build(SPEC, TWO, seed) for seed in range(6)]
    layout = Layout.of(networks[0])
    flat = torch.cat([layout.flatten(dict(network.named_parameters()), 1) for network in networks]).detach()
    x = torch.randn(6, 7, 3, dtype=torch.float64)
    together = stateless(SPEC, TWO).forward_stack(layout.views(flat), x)
    alone = torch.stack([network(rows) for network, rows in zip(networks, x, strict=True)])
    assert torch.allclose(together, alone, atol=1e-14)
    single = stateless(SPEC, TWO).forward_stack(layout.views(flat[:1]), x[:1])
    assert torch.allclose(single, alone[:1], atol=1e-14)


def test_no_hidden_layers_is_a_linear_model() -> None:
    network = build(MLPModel(layers=()), data_spec("classification", 4, ("a", "b")), seed=0)
    assert [tuple(parameter.shape) for parameter in network.parameters()] == [(2, 4), (2,)]


def test_a_layout_gives_back_what_it_flattened() -> None:
    network = build(SPEC, TWO, seed=0)
    layout = Layout.of(network)
    views = layout.views(layout.flatten(dict(network.named_parameters()), 3))
    for name, parameter in network.named_parameters():
        assert torch.equal(views[name], parameter.expand(3, *parameter.shape))


def test_weights_follow_from_the_seed_and_leave_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (build(SPEC, TWO, seed).layers[0].weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_are_spread_as_pytorch_spreads_them() -> None:
    ours = build(MLPModel(layers=(500,)), data_spec("classification", 400, tuple(range(10))), seed=0)
    theirs = torch.nn.Linear(400, 500)
    for mine, torchs in ((ours.layers[0].weight, theirs.weight), (ours.layers[0].bias, theirs.bias)):
        assert mine.abs().max() <= 1 / 20
        assert mine.std().item() == pytest.approx(torchs.std().item(), rel=0.1)


@pytest.fixture
def regression() -> Predictor:
    agreed = data_spec("regression", 3, (), (100.0,), (10.0,), shift=[1.0, 0, 0], scale=[2.0, 1, 1])
    return Predictor(build(SPEC, agreed, seed=4), SPEC, agreed)


def test_a_predictor_takes_raw_rows_and_gives_the_targets_unit(regression: Predictor) -> None:
    raw = torch.tensor([[3.0, 5.0, 7.0]], dtype=torch.float64)
    scaled = torch.tensor([[1.0, 5.0, 7.0]], dtype=torch.float64)
    assert torch.allclose(regression(raw), regression.network(scaled) * 10 + 100)


def test_a_saved_model_loads_as_itself_and_equal_models_save_alike(tmp_path: Path, regression: Predictor) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(to_bytes(regression))
    loaded = load_model(path)
    x = torch.randn(5, 3, dtype=torch.float64)
    assert torch.equal(loaded(x), regression(x))
    assert to_bytes(loaded) == path.read_bytes()


def test_a_classifier_predicts_labels() -> None:
    spec = MLPModel(layers=())
    model = Predictor(build(spec, TWO, seed=0), spec, TWO)
    with torch.no_grad():
        model.network.layers[0].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1, 0]]))
        model.network.layers[0].bias.zero_()
    assert model.predict(torch.tensor([[5, 1, 0], [1, 5, 0]], dtype=torch.uint8)) == ["a", "b"]
