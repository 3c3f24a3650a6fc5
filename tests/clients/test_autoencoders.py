"""Autoencoders: their losses and gradients are those of plain PyTorch, and a linear one finds principal components."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical, Normal, kl_divergence

import hothouse
from clients.batches import batches
from common import seeds
from common.data import prepare
from common.draws import normals_and_uniforms
from common.errors import InputError
from common.models import build
from common.models.own import OwnNetwork
from common.models.own_measures import NetworkBatch
from common.scenario import Scenario, load_scenario
from hothouse.inspect.network import _data_spec
from tests.resuming import assert_resumes, assert_same

PEOPLE = "age,height,city,well\n" + "".join(
    f"{20 + n % 37},{'' if n % 5 == 0 else 150 + n % 41 + 0.5},{['oslo', 'rome', 'bern'][n % 3]},"
    f"{'yes' if n % 4 else 'no'}\n"
    for n in range(120)
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with small images of bytes and a table with a gap here and there."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 90)
    pixels = np.clip(rng.normal(60 + 60 * labels[:, None, None], 50, (90, 4, 4)), 0, 255).astype(np.uint8)
    np.savez(tmp_path / "images.npz", x_train=pixels[..., None], y_train=labels)
    (tmp_path / "people.csv").write_text(PEOPLE)
    return tmp_path


def scenario(data: str = "images", **model: Any) -> dict[str, Any]:
    """Three clients with ragged batches."""
    sources = {
        "images": {"source": {"kind": "npz", "path": "images.npz"}},
        "table": {"source": {"kind": "csv", "path": "people.csv", "target": "well"}, "missing": "indicator"},
    }
    return {
        "seed": 4,
        "data": {
            **sources[data],
            "partition": {"scheme": "size", "sizes": [30, 13, 9]},
            "test_fraction": 0.2,
            "client_holdout": 0.2,
        },
        "model": {"name": "vae", "latent": 3, "layers": [7], "dtype": "float64", **model},
        "training": {"batch_size": 8, "epochs": 2, "optimizer": {"name": "adam", "lr": 0.01}},
        "federation": {"rounds": 2, "clients_per_round": 1.0},
    }


def network(data: str = "images", **model: Any) -> OwnNetwork:
    chosen = load_scenario(scenario(data, **model))
    spec = _data_spec(chosen, prepare(chosen))
    if data == "table":
        spec = type(spec)(**{**vars(spec), "indicators": (1,)})
    found = build(chosen.model, spec, 1)
    assert isinstance(found, OwnNetwork)
    return found


def batch_for(own: OwnNetwork, data: str) -> NetworkBatch:
    """Five examples, as the network sees them."""
    rng = np.random.default_rng(5)
    if data == "images":
        x = rng.random((5, 16))
        y = rng.integers(0, 3, 5)
    else:
        cities, gaps = np.eye(3)[rng.integers(0, 3, 5)], rng.integers(0, 2, (5, 1))
        x, y = np.concatenate([rng.normal(size=(5, 2)), cities, gaps], axis=1), rng.integers(0, 2, 5)
    module: Any = own.module
    return NetworkBatch(
        own.shaped(torch.from_numpy(x)),
        torch.from_numpy(y),
        torch.from_numpy(rng.normal(size=(5, module.normals))),
        torch.from_numpy(rng.random((5, module.uniforms))),
    )


def literal(own: OwnNetwork, batch: NetworkBatch, data: str, model: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """−log p(x | z) and KL(q ‖ p) by torch.distributions, with the network's own dense layers."""
    module: Any = own.module
    x = batch.x.flatten(1)
    if model.get("binarize"):
        x = (x > (0.5 if model["binarize"] == "threshold" else batch.uniforms)).double()
    classes = 3 if data == "images" else 2
    label = [nn.functional.one_hot(batch.y, classes).double()] if model.get("conditional") else []
    mean, log_variance = module.encoder(torch.cat([x, *label], dim=1)).chunk(2, dim=1)
    q = Normal(mean, (log_variance / 2).exp())
    z = mean + q.stddev * batch.normals[:, :3]
    out = module.decoder(torch.cat([z, *label], dim=1))
    if data == "images" and model.get("likelihood") != "gaussian":
        # Grey values are no outcomes of a Bernoulli variable, but its logarithm is defined for them.
        log_p = Bernoulli(logits=out, validate_args=False).log_prob(x).sum(dim=1)
    else:
        sigma = module.likelihood.log_sigma.exp() if model.get("sigma") == "learned" else model.get("sigma", 1.0)
        numbers = 16 if data == "images" else 2
        log_p = Normal(out[:, :numbers], sigma).log_prob(x[:, :numbers]).sum(dim=1)
        if data == "table":
            log_p = log_p + Categorical(logits=out[:, 2:5]).log_prob(x[:, 2:5].argmax(dim=1))
            log_p = log_p + Bernoulli(logits=out[:, 5]).log_prob(x[:, 5])
    return -log_p, kl_divergence(q, Normal(torch.zeros_like(mean), torch.ones_like(mean)))


MODELS: list[tuple[str, dict[str, Any]]] = [
    ("images", {}),
    ("images", {"binarize": "threshold", "conditional": True}),
    ("images", {"binarize": "sampled", "beta": 4.0}),
    ("images", {"likelihood": "gaussian", "sigma": 0.3}),
    ("images", {"likelihood": "gaussian", "sigma": "learned", "free_bits": 0.4}),
    ("table", {"sigma": "learned"}),
    ("table", {"conditional": True, "beta": 0.5, "free_bits": 0.2}),
]


@pytest.mark.parametrize(("data", "model"), MODELS, ids=str)
def test_loss_and_gradients_are_those_of_plain_pytorch(data: str, model: dict[str, Any], here: Path) -> None:
    own = network(data, **model)
    module: Any = own.train().module
    if model.get("sigma") == "learned":
        with torch.no_grad():
            module.likelihood.log_sigma.fill_(-0.7)
    batch = batch_for(own, data)
    reconstruction, divergence = literal(own, batch, data, model)
    kept = divergence.mean(dim=0).clamp(min=model["free_bits"]).sum() if "free_bits" in model else divergence.sum(dim=1)
    expected = reconstruction + model.get("beta", 1.0) * kept
    loss = module.loss(batch)
    assert torch.allclose(loss, expected, rtol=1e-12)
    parameters = list(module.parameters())
    found, wanted = (torch.autograd.grad(one.mean(), parameters) for one in (loss, expected))
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-12)
    measured = module.metrics(batch)
    assert torch.allclose(measured.get("loss"), reconstruction + divergence.sum(dim=1), rtol=1e-12)
    assert ("objective" in measured) == ("beta" in model or "free_bits" in model)
    # Of grey values there is no likelihood.
    assert ("negative_elbo" in measured) == (data == "table" or "binarize" in model or "likelihood" in model)


def test_the_importance_weighted_bound_is_burdas(here: Path) -> None:
    own = network(binarize="threshold", importance_samples=4)
    module: Any = own.eval().module
    batch = batch_for(own, "images")
    x = (batch.x.flatten(1) > 0.5).double()
    mean, log_variance = module.encoder(x).chunk(2, dim=1)
    q, p = Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros_like(mean), torch.ones_like(mean))
    weights = []
    for k in range(1, 5):
        z = mean + q.stddev * batch.normals[:, 3 * k : 3 * k + 3]
        log_p = Bernoulli(logits=module.decoder(z)).log_prob(x).sum(dim=1) + p.log_prob(z).sum(dim=1)
        weights.append((log_p - q.log_prob(z).sum(dim=1)).exp())
    expected = -torch.stack(weights).mean(dim=0).log()
    assert torch.allclose(module.metrics(batch)["importance_bound"], expected, rtol=1e-10)


def plain(chosen: Scenario, module: nn.Module) -> dict[str, Tensor]:
    """FedAvg with `torch.optim.Adam`, client after client; `module` has the first weights."""
    prepared = prepare(chosen)
    x = torch.from_numpy(np.array(prepared.x, dtype=np.float64)) / 255
    y, sizes = torch.from_numpy(np.array(prepared.y)), prepared.training_sizes
    any_module: Any = module.train()
    for number in (1, 2):
        begun = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        total = {name: torch.zeros_like(tensor) for name, tensor in begun.items()}
        for client in range(3):
            module.load_state_dict(begun)
            optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
            keys = seeds.streams(chosen.seed, "batches", number, np.array([client]))
            for batch in batches([prepared.training_examples(client)], chosen.training, keys, torch.float64):
                at = batch.positions[0][batch.shares[0] > 0]
                stream = seeds.fork(seeds.streams(chosen.seed, "dropout", number, np.array([client])), batch.step)
                drawn = seeds.bits(seeds.fork(stream, -1), batch.positions.shape[1])[0, : len(at)]
                noise, chances = normals_and_uniforms(drawn, any_module.normals, any_module.uniforms)
                optimizer.zero_grad()
                shaped = x[at].view(-1, 1, 4, 4)
                any_module.loss(NetworkBatch(shaped, y[at], noise.double(), chances.double())).mean().backward()
                optimizer.step()
            for name, tensor in module.state_dict().items():
                total[name] += float(sizes[client]) * tensor
        module.load_state_dict({name: tensor / float(sizes.sum()) for name, tensor in total.items()})
    return module.state_dict()


@pytest.mark.parametrize(
    "model", [{"binarize": "sampled", "conditional": True}, {"likelihood": "gaussian", "sigma": "learned"}], ids=str
)
def test_clients_train_as_a_plain_loop_trains_them(model: dict[str, Any], here: Path) -> None:
    chosen = load_scenario(scenario(**model))
    done = hothouse.run(chosen, engine="local", out="run")
    assert "one_by_one" not in done.summary
    own = build(chosen.model, done.model.data_spec, chosen.seed)
    assert isinstance(own, OwnNetwork)
    for name, tensor in plain(chosen, own.module).items():
        assert torch.allclose(done.model.network.state_dict()[name], tensor, rtol=0, atol=1e-9), name


def test_what_is_drawn_depends_on_seed_client_and_example_alone(here: Path) -> None:
    model = {"binarize": "sampled", "importance_samples": 2}
    one = hothouse.run(scenario(**model), overrides=["federation.blocks=1"], engine="local", out="one")
    pieces = ["federation.blocks=3", "evaluation.batch_size=5", "training.stacked=no"]
    many = hothouse.run(scenario(**model), overrides=pieces, engine="local", out="many")
    columns = [name for name in one.metrics if name.split("_")[0] in ("test", "holdout", "train")]
    assert {"test_negative_elbo", "test_kl", "holdout_reconstruction", "holdout_importance_bound"} < set(columns)
    np.testing.assert_allclose(one.metrics[columns], many.metrics[columns], rtol=1e-9)
    assert_resumes(scenario(**model), here / "resumed", killed_after=[1])


@pytest.mark.slow
@pytest.mark.ray
def test_they_have_the_same_bits_on_ray(here: Path) -> None:
    assert_same(
        hothouse.run(scenario(conditional=True), engine="local", out="here"),
        hothouse.run(scenario(conditional=True), workers=2, out="ray"),
    )


def exact_log_likelihood(train: np.ndarray[Any, Any], test: np.ndarray[Any, Any], latent: int) -> float:
    """The mean of probabilistic PCA (Tipping and Bishop 1999, equations 4 and 8), its parameters of the most likely."""
    mean, width = train.mean(axis=0), train.shape[1]
    values, vectors = np.linalg.eigh(np.cov(train.T, bias=True))
    values, vectors = values[::-1], vectors[:, ::-1]
    variance = values[latent:].mean()
    covariance = vectors[:, :latent] * (values[:latent] - variance) @ vectors[:, :latent].T + variance * np.eye(width)
    away = test - mean
    square = np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away)
    return float(-0.5 * (width * math.log(2 * math.pi) + np.linalg.slogdet(covariance)[1] + square).mean())


@pytest.mark.slow
def test_a_linear_one_reaches_probabilistic_pca(here: Path) -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(2, 6))
    x = rng.normal(size=(14_000, 2)) @ mixing + 0.5 * rng.normal(size=(14_000, 6))
    np.savez(here / "flat.npz", x_train=x[:4000], y_train=np.zeros(4000), x_test=x[4000:], y_test=np.zeros(10_000))
    run = hothouse.run(
        {
            "data": {
                "source": {"kind": "npz", "path": "flat.npz", "task": "regression"},
                "partition": {"scheme": "iid", "clients": 4},
                "scale": "none",
            },
            "model": {"name": "vae", "latent": 2, "layers": [], "sigma": "learned", "dtype": "float64"},
            "training": {"epochs": 5, "batch_size": 100, "optimizer": {"name": "adam", "lr": 0.01}},
            "federation": {"rounds": 25, "clients_per_round": 1.0},
            "evaluation": {"every": 25},
        },
        engine="local",
        out="pca",
    )
    exact = exact_log_likelihood(x[:4000], x[4000:], 2)
    assert -run.metrics.test_negative_elbo.iloc[-1] == pytest.approx(exact, abs=0.05)


@pytest.mark.parametrize(
    ("data", "model", "complaint"),
    [
        ("table", {"likelihood": "bernoulli"}, "model.likelihood: expected gaussian"),
        ("table", {"binarize": "threshold"}, "model.binarize: expected it left out: the examples have numbers beyond"),
        ("images", {"likelihood": "gaussian", "binarize": "sampled"}, "model.binarize: expected it left out with"),
        ("images", {"output": "softmax"}, "model.output: expected it left out"),
        ("images", {"sigma": 0}, "model.sigma: expected a number above 0, or learned"),
        ("images", {"beta": -1}, "model.beta"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused(data: str, model: dict[str, Any], complaint: str, here: Path) -> None:
    with pytest.raises(InputError, match=complaint.replace(".", r"\.")):
        hothouse.run(scenario(data, **model), engine="local", out="refused")


def test_labels_are_needed_to_go_by_them_and_texts_are_no_examples(here: Path) -> None:
    np.savez(here / "numbers.npz", x_train=np.random.default_rng(1).random((60, 4)), y_train=np.linspace(0, 1, 60))
    numbers = scenario(conditional=True)
    numbers["data"]["source"] = {"kind": "npz", "path": "numbers.npz", "task": "regression"}
    numbers["data"]["partition"] = {"scheme": "iid", "clients": 3}
    with pytest.raises(InputError, match=r"model\.conditional: expected false: the examples have no classes"):
        hothouse.run(numbers, engine="local", out="numbers")
    (here / "texts.txt").write_text("a\thello there\nb\tgood bye\n" * 40)
    texts = scenario()
    texts["data"]["source"] = {"kind": "text", "path": "texts.txt"}
    texts["data"]["partition"] = {"scheme": "iid", "clients": 3}
    with pytest.raises(InputError, match="vae makes images and rows of tables; these examples are texts"):
        hothouse.run(texts, engine="local", out="texts")
