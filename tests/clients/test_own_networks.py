"""Own networks train as a plain loop over clients with `torch.optim` trains them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

import hothouse
from clients.batches import batches
from common import seeds
from common.data import prepare
from common.errors import InputError
from common.models import build
from common.models.keyed_dropout import KeyedDropout
from common.models.model_file import read_model, to_bytes
from common.run_files import read_lines
from common.scenario import Scenario, load_scenario
from hothouse.inspect.check import check
from tests.resuming import assert_resumes, assert_same
from tests.strategies import sampled

NETS = '''
import torch
from torch import nn
from hothouse.extend import ModelPart, key


class Conv(ModelPart, name="conv"):
    """A convolution."""

    channels: int = key("Channels.", 3, unit="channels", ge=1)

    def build(self, data):
        depth, height, width = data.shape
        flat = self.channels * height * width // 4
        return nn.Sequential(
            nn.Conv2d(depth, self.channels, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(flat, data.outputs),
        )


class Normed(ModelPart, name="normed"):
    """Batch normalization behind a convolution."""

    def build(self, data):
        return nn.Sequential(
            nn.Conv2d(data.shape[0], 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(72, data.outputs)
        )


class Embedded(ModelPart, name="embedded"):
    """An embedding of the grey values."""

    def build(self, data):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.table, self.head = nn.Embedding(17, 2), nn.Linear(128, data.outputs)

            def forward(self, x):
                return self.head(self.table(x.flatten(1).long()).flatten(1))

        return Net()


class Tied(ModelPart, name="tied"):
    """Two layers with the same weights."""

    def build(self, data):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.second, self.head = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, data.outputs)
                self.second.weight = self.first.weight

            def forward(self, x):
                return self.head(self.second(self.first(x.flatten(1)).tanh()).tanh())

        return Net()


class Dropped(ModelPart, name="dropped"):
    """Dropout of units and of channels."""

    def build(self, data):
        return nn.Sequential(
            nn.Conv2d(data.shape[0], 4, 3), nn.Dropout2d(0.25),
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, data.outputs),
        )


class Random(ModelPart, name="random"):
    """Noise that no layer of PyTorch's draws."""

    def build(self, data):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.head = nn.Linear(64, data.outputs)

            def forward(self, x):
                return self.head(x.flatten(1) + (0.1 * torch.randn_like(x.flatten(1)) if self.training else 0))

        return Net()


class Dense(ModelPart, name="dense"):
    """Dense layers alone."""

    def build(self, data):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, data.outputs))
'''
LR, MU, ROUNDS = 0.002, 0.3, 2
STRATEGIES = {"fedavg": {"name": "fedavg"}, "fedprox": {"name": "fedprox", "mu": MU}, "scaffold": {"name": "scaffold"}}


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    return tmp_path


def scenario(name: str, strategy: str = "fedavg", **model: Any) -> dict[str, Any]:
    """Six clients with ragged batches, one of them with a single example."""
    return {
        "uses": ["nets.py"],
        "data": {
            "source": {"kind": "sklearn", "name": "digits"},
            "partition": {"scheme": "size", "sizes": [20, 13, 9, 8, 3, 1]},
            "test_fraction": 0.1,
            "scale": "none",
        },
        "model": {"name": name, "dtype": "float64", **model},
        "training": {"batch_size": 8, "epochs": 2, "optimizer": {"name": "sgd", "lr": LR}},
        "federation": {"rounds": ROUNDS, "clients_per_round": 1.0, "strategy": STRATEGIES[strategy]},
    }


def plain(chosen: Scenario, strategy: str, module: nn.Module) -> dict[str, torch.Tensor]:
    """The method, client after client, in ordinary PyTorch; `module` has the first weights."""
    prepared = prepare(chosen)
    x = torch.from_numpy(np.array(prepared.x, dtype=np.float64)).view(-1, 1, 8, 8)
    y = torch.from_numpy(np.array(prepared.y))
    clients, sizes = len(prepared.clients), prepared.training_sizes
    everyone = [name for name, tensor in module.state_dict().items() if tensor.is_floating_point()]
    own = [[torch.zeros_like(p) for p in module.parameters()] for _ in range(clients)]
    control = [torch.zeros_like(p) for p in module.parameters()]
    for number in range(1, ROUNDS + 1):
        trained, changes = [], []
        for client in range(clients):
            local = copy.deepcopy(module).train()
            start = [p.detach().clone() for p in local.parameters()]
            optimizer, steps = torch.optim.SGD(local.parameters(), lr=LR), 0
            keys = seeds.streams(chosen.seed, "batches", number, np.array([client]))
            for batch in batches([prepared.training_examples(client)], chosen.training, keys, torch.float64):
                at = batch.positions[0][batch.shares[0] > 0]
                if len(at) == 1:
                    for one in local.modules():
                        if isinstance(one, nn.BatchNorm2d):
                            one.eval()
                stream = seeds.fork(seeds.streams(chosen.seed, "dropout", number, np.array([client])), batch.step)
                for one in local.modules():
                    if isinstance(one, KeyedDropout):
                        one.begin(stream)
                optimizer.zero_grad()
                functional.cross_entropy(local(x[at]), y[at]).backward()
                for place, p in enumerate(local.parameters()):
                    assert p.grad is not None
                    if strategy == "fedprox":
                        p.grad += MU * (p.detach() - start[place])
                    if strategy == "scaffold":
                        p.grad += control[place] - own[client][place]
                weights_only = [p for p in local.parameters() if p.dim() > 1]
                rules = chosen.training.regularization
                with torch.no_grad():
                    for p in weights_only:
                        assert p.grad is not None
                        p.grad += rules.l1 * p.sign() + rules.l2 * p
                        p *= 1 - LR * rules.weight_decay
                optimizer.step()
                if rules.l2_budget is not None:
                    with torch.no_grad():
                        square = sum(float(p.square().sum()) for p in weights_only)
                        for p in weights_only:
                            p *= min(1.0, (rules.l2_budget / square) ** 0.5)
                local.train()
                steps += 1
            trained.append({name: tensor.clone() for name, tensor in local.state_dict().items() if name in everyone})
            new = [
                mine - c + (begin - p.detach()) / (steps * LR)
                for mine, c, begin, p in zip(own[client], control, start, local.parameters(), strict=True)
            ]
            changes.append([n - mine for n, mine in zip(new, own[client], strict=True)])
            own[client] = new
        # SCAFFOLD counts clients alike, as in its paper.
        weights = np.ones(clients) if strategy == "scaffold" else sizes
        mean = {
            name: sum(float(w) * one[name] for w, one in zip(weights, trained, strict=True)) / float(weights.sum())
            for name in everyone
        }
        module.load_state_dict(mean, strict=False)
        control = [c + sum(change[place] for change in changes) / clients for place, c in enumerate(control)]
    return {name: tensor.detach() for name, tensor in module.state_dict().items() if name in everyone}


CASES = [
    f"{name} {strategy}"
    for name in ("conv", "normed", "dropped", "embedded", "tied", "dense")
    for strategy in STRATEGIES
]


@pytest.mark.parametrize("case", sampled(CASES, "normed fedavg", "tied scaffold", "conv fedprox", "dropped fedavg"))
def test_they_train_as_a_plain_loop_trains_them(case: str, nets: Path) -> None:
    assert_as_a_plain_loop(*case.split())


@pytest.mark.parametrize("rules", [{"l1": 0.3, "l2": 0.5, "weight_decay": 2.0}, {"l2_budget": 1.0}], ids=str)
def test_what_keeps_weights_small_acts_on_all_but_biases_and_normalizations(
    rules: dict[str, float], nets: Path
) -> None:
    assert_as_a_plain_loop("normed", "fedavg", f"training.regularization={json.dumps(rules)}")
    network = hothouse.load("run").model.network
    assert network.regularized(biases=True) == {"0.weight", "0.bias", "4.weight", "4.bias"}


def assert_as_a_plain_loop(name: str, strategy: str, *overrides: str) -> None:
    chosen = load_scenario(scenario(name, strategy), overrides)
    done = hothouse.run(scenario(name, strategy), overrides=overrides, engine="local", out="run")
    first = build(chosen.model, done.model.data_spec, chosen.seed)
    module = copy.deepcopy(first.module)
    expected = plain(chosen, strategy, module)
    found = done.model.network.state_dict()
    assert {name for name in found if found[name].is_floating_point()} == expected.keys()
    for array, tensor in expected.items():
        assert torch.allclose(found[array], tensor, rtol=0, atol=1e-10), array


@pytest.mark.parametrize("name", ["dense", "embedded", "tied", "normed"])
def test_a_stack_gives_what_one_by_one_gives(name: str, nets: Path) -> None:
    wide = ["training.batch_size=full"]
    alone = hothouse.run(scenario(name), overrides=["training.stacked=no", *wide], engine="local", out="alone")
    auto = hothouse.run(scenario(name), overrides=["training.stacked=yes", *wide], engine="local", out="auto")
    assert (alone.summary["one_by_one"], "one_by_one" in auto.summary) == ("as training.stacked says", False)
    for array, tensor in alone.model.network.arrays().items():
        assert torch.allclose(auto.model.network.arrays()[array], tensor, rtol=0, atol=1e-9), array


@pytest.mark.parametrize("name", ["dropped", "random"])
def test_what_random_layers_draw_depends_on_the_client_alone(name: str, nets: Path) -> None:
    """Whoever else is in the block, whatever was drawn before, whether resumed or not."""
    one = hothouse.run(scenario(name), overrides=["federation.blocks=1"], engine="local", out="one")
    torch.manual_seed(123)
    many = hothouse.run(scenario(name), overrides=["federation.blocks=6"], engine="local", out="many")
    for array, tensor in one.model.network.arrays().items():
        assert torch.allclose(many.model.network.arrays()[array], tensor, rtol=0, atol=1e-12), array
    assert_resumes(scenario(name), nets / "resumed", killed_after=[1])


def test_dropout_drops_its_share_and_scales_the_rest(nets: Path) -> None:
    stream = seeds.streams(7, "dropout", 1, np.arange(1))
    whole, units = KeyedDropout(0.25, 2, 0), KeyedDropout(0.5, 0, 1)
    for dropout, x in ((whole, torch.ones(50, 40, 3, 3)), (units, torch.ones(100, 200))):
        dropout.begin(stream)
        dropped = dropout(x)
        assert sorted(dropped.unique().tolist()) == pytest.approx([0, 1 / (1 - dropout.p)])
        assert (dropped == 0).float().mean().item() == pytest.approx(dropout.p, abs=0.03)
        dropout.begin(stream)
        assert torch.equal(dropout(x), dropped)
        assert not torch.equal(dropout(x), dropped), "a second call in the same pass has another mask"
        assert torch.equal(dropout.eval()(x), x)
    channels = dropped if dropped.dim() == 4 else whole.train()(torch.ones(50, 40, 3, 3))
    assert ((channels == 0).flatten(2).all(2) | (channels != 0).flatten(2).all(2)).all()


@pytest.mark.slow
@pytest.mark.ray
def test_they_have_the_same_bits_on_ray(nets: Path) -> None:
    assert_same(
        hothouse.run(scenario("normed"), engine="local", out="here"),
        hothouse.run(scenario("normed"), workers=2, out="ray"),
    )


def test_frozen_children_and_own_heads_stay_where_they_belong(nets: Path) -> None:
    frozen = hothouse.run(scenario("embedded", frozen=["table"]), engine="local", out="frozen")
    first = build(frozen.scenario.model, frozen.model.data_spec, frozen.scenario.seed).arrays()
    last = frozen.model.network.arrays()
    # The mean of equal weights is rounded.
    assert torch.allclose(first["table.weight"], last["table.weight"], rtol=0, atol=1e-14)
    assert not torch.equal(first["head.weight"], last["head.weight"])
    heads = ["federation.strategy={name: fedper, children: [head]}", "data.client_holdout=0.2"]
    own = hothouse.run(scenario("embedded"), overrides=heads, engine="local", out="own")
    one, other = (own.own_model(client).network.arrays() for client in (0, 1))
    assert torch.equal(one["table.weight"], other["table.weight"])
    assert not torch.equal(one["head.weight"], other["head.weight"])


def test_a_run_starts_from_an_earlier_one(nets: Path) -> None:
    earlier = hothouse.run(scenario("conv"), engine="local", out="earlier")
    later = hothouse.run(
        scenario("conv") | {"model": {"name": "conv", "dtype": "float64", "from": "earlier"}},
        engine="local",
        out="later",
    )
    assert later.metrics.test_loss.iloc[0] == pytest.approx(earlier.metrics.test_loss.iloc[-1])


@pytest.fixture
def arrays(nets: Path) -> dict[str, torch.Tensor]:
    """Arrays of the network `conv`, as any program writes them: in float32, with a counter that nobody needs."""
    found = {"0.weight": torch.randn(3, 1, 3, 3), "0.bias": torch.randn(3)}
    return found | {"4.weight": torch.randn(10, 48), "4.bias": torch.randn(10), "steps": torch.tensor(7)}


def begun(arrays: dict[str, torch.Tensor], *overrides: str) -> hothouse.Run:
    """A run from these arrays that trains nothing but the last layer."""
    save_file(arrays, "arrays.safetensors")
    chosen = scenario("conv", frozen=["0"]) | {"federation": {"rounds": 1}}
    return hothouse.run(chosen, overrides=["model.from=arrays.safetensors", *overrides], engine="local", out="begun")


def test_a_run_starts_from_arrays_by_name(arrays: dict[str, torch.Tensor]) -> None:
    trained = begun(arrays).model.network.arrays()
    for name in ("0.weight", "0.bias"):
        assert torch.allclose(trained[name], arrays[name].double(), rtol=0, atol=1e-12), name


@pytest.mark.parametrize(
    ("change", "told", "drawn"),
    [
        ({"4.bias": None}, "no array 4.bias", ["4.bias"]),
        ({"4.weight": torch.randn(7, 48)}, r"4\.weight of shape \(7, 48\); the network's is \(10, 48\)", ["4.weight"]),
        ({"more": torch.randn(2)}, "an array more, which the network has not", []),
    ],
    ids=["missing", "another shape", "more"],
)
def test_what_a_file_lacks_is_drawn_where_that_is_asked_for(
    arrays: dict[str, torch.Tensor], change: dict[str, torch.Tensor | None], told: str, drawn: list[str]
) -> None:
    changed = {name: tensor for name, tensor in (arrays | change).items() if tensor is not None}
    with pytest.raises(InputError, match=rf"model\.from: .*arrays\.safetensors has .*{told}; model\.strict: false"):
        begun(changed)
    Path("begun").rename("refused")
    run = begun(changed, "model.strict=false")
    events = [line for line in read_lines(run.folder / "events.jsonl") if line["event"] == "partly new"]
    assert [event["reason"] for event in events] == (
        [f"{len(drawn)} of 4 arrays keep their drawn weights: {', '.join(drawn)}"] if drawn else []
    )
    assert torch.allclose(run.model.network.arrays()["0.weight"], arrays["0.weight"].double(), rtol=0, atol=1e-12)


def test_files_with_nothing_of_the_network_or_no_numbers_are_refused(arrays: dict[str, torch.Tensor]) -> None:
    with pytest.raises(InputError, match=r"has no array of the network's; it has 0\.bias, 0\.weight, 4\.bias"):
        begun({"other": torch.zeros(2)}, "model.strict=false")
    Path("begun").rename("refused")
    with pytest.raises(InputError, match=r"0\.bias has numbers that are infinite or not a number"):
        begun(arrays | {"0.bias": torch.full((3,), float("nan"))})
    with pytest.raises(InputError, match=r"only networks that are no mlp start from arrays"):
        hothouse.run(scenario("conv") | {"model": {"from": "arrays.safetensors"}}, engine="local", out="mlp")


@pytest.mark.parametrize(
    ("model", "overrides", "reason"),
    [
        ({"name": "convv"}, [], "got 'convv'; did you mean conv?"),
        ({"name": "conv", "layers": [3]}, [], "model.layers"),
        ({"name": "conv", "frozen": ["head"]}, [], "model.frozen: no child head with weights; there are 0, 4"),
        ({"name": "conv"}, ["federation.strategy=fedper", "data.client_holdout=0.2"], "federation.strategy.children"),
        (
            {"name": "dropped"},
            ["training.stacked=yes"],
            "training.stacked: dropped cannot be stacked: its random layers",
        ),
        ({"name": "cnn"}, ["data.source.name=wine", "data.partition={scheme: iid, clients: 3}"], "cnn takes images"),
        ({"name": "cnn", "channels": [4, 4, 4, 4]}, [], "model.channels: expected at most 3 for images of 8×8"),
    ],
)
def test_what_does_not_fit_is_refused(model: dict[str, Any], overrides: list[str], reason: str, nets: Path) -> None:
    with pytest.raises(InputError) as caught:
        hothouse.run(scenario("conv") | {"model": model}, overrides=overrides, engine="local", out="run")
    assert reason in str(caught.value)


def test_a_network_with_other_outputs_is_refused(nets: Path) -> None:
    (nets / "nets.py").write_text(NETS.replace("nn.Linear(flat, data.outputs)", "nn.Linear(flat, 3)"))
    with pytest.raises(InputError, match=r"outputs for 2 examples have the shape \(2, 3\); expected \(2, 10\)"):
        hothouse.run(scenario("conv"), engine="local", out="run")


def test_a_file_that_claims_a_larger_network_is_refused_before_it_is_made(nets: Path) -> None:
    small = {"name": "cnn", "channels": [2], "layers": [3], "dtype": "float64"}
    content = to_bytes(hothouse.run(scenario("conv") | {"model": small}, engine="local", out="run").model)
    assert read_model(content).spec.name == "cnn"
    for key, claimed in (("channels", [65536]), ("layers", [65536] * 2)):
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        about = json.loads(header["__metadata__"]["hothouse"])
        about["model"][key] = claimed
        header["__metadata__"]["hothouse"] = json.dumps(about)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with pytest.raises(ValueError, match=r"its settings make it|is not there"):
            read_model(len(text).to_bytes(8, "little") + text + content[8 + length :])


def test_a_network_whose_build_needs_numbers_is_loaded_again(nets: Path) -> None:
    """PyTorch's device `meta`, on which shapes are compared first, has none."""
    (nets / "nets.py").write_text(
        NETS.replace(
            "        flat = self.channels", "        assert torch.ones(1).item() == 1\n        flat = self.channels"
        )
    )
    done = hothouse.run(scenario("conv"), engine="local", out="run")
    assert read_model(to_bytes(done.model), nets / "run").spec.name == "conv"


def test_privacy_refuses_running_statistics(nets: Path) -> None:
    privacy = "federation.privacy={clipping_norm: 1.0, noise_multiplier: 1.0, delta: 0.001}"
    with pytest.raises(InputError, match="without running statistics, for privacy"):
        hothouse.run(scenario("normed"), overrides=[privacy], engine="local", out="run")


FEATURED = '''
import torch
from torch import nn
from hothouse.extend import ModelPart


class Method(ModelPart, name="method"):
    """A hidden layer that a method gives; arrays are named as an MLP's."""

    def build(self, data):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(64, 6), nn.Linear(6, data.outputs)])

            def features(self, x):
                return torch.relu(self.layers[0](x.flatten(1)))

            def forward(self, x):
                return self.layers[1](self.features(x))

        return Net()


class Child(ModelPart, name="child"):
    """The same by a child."""

    def build(self, data):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.features = nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.ReLU())
                self.head = nn.Linear(6, data.outputs)

            def forward(self, x):
                return self.head(self.features(x))

        return Net()
'''
AS_MLP = {
    "features.1.weight": "layers.0.weight",
    "features.1.bias": "layers.0.bias",
    "head.weight": "layers.1.weight",
    "head.bias": "layers.1.bias",
}


@pytest.mark.parametrize(
    "case", sampled(["method no", "method yes", "child no", "child yes"], "method no", "child yes")
)
def test_moon_looks_at_features_as_at_an_mlps_last_hidden_layer(nets: Path, case: str) -> None:
    name, stacked = case.split()
    (nets / "nets.py").write_text(FEATURED)
    moon = scenario(name) | {"federation": {"rounds": 3, "strategy": {"name": "moon", "mu": 2.0}}}
    mlp = moon | {"model": {"layers": [6], "dtype": "float64"}}
    first = hothouse.run(mlp, overrides=["federation.rounds=1"], engine="local", out="first")
    arrays = {array: tensor.contiguous() for array, tensor in first.model.network.arrays().items()}
    own = {mine: arrays[theirs] for mine, theirs in AS_MLP.items()} if name == "child" else arrays
    save_file(own, "arrays.safetensors")
    expected = hothouse.run(mlp, overrides=["model.from=first"], engine="local", out="mlp").model.network.arrays()
    overrides = ["model.from=arrays.safetensors", f"training.stacked={stacked}"]
    found = hothouse.run(moon, overrides=overrides, engine="local", out="own").model.network.arrays()
    plain = hothouse.run(moon | {"federation": {"rounds": 3}}, overrides=overrides, engine="local", out="plain")
    for mine, tensor in found.items():
        theirs = expected[AS_MLP.get(mine, mine)]
        assert torch.allclose(tensor, theirs, rtol=0, atol=1e-10), mine
    assert any(not torch.equal(found[mine], one) for mine, one in plain.model.network.arrays().items())


def test_features_that_a_forward_pass_does_not_call_are_none(nets: Path) -> None:
    (nets / "nets.py").write_text(
        FEATURED.replace("self.layers[1](self.features(x))", "self.layers[1](self.layers[0](x.flatten(1)))")
    )
    with pytest.raises(InputError, match=r"model: expected a network whose forward calls its own features\(x\)"):
        hothouse.run(scenario("method"), overrides=["federation.strategy=moon"], engine="local", out="moon")
    assert hothouse.run(scenario("method"), engine="local", out="plain").summary["status"] == "complete"


def test_moon_refuses_a_network_without_features(nets: Path) -> None:
    with pytest.raises(InputError, match=r"model: expected a network whose forward calls its own features\(x\)"):
        check(scenario("conv"), ["federation.strategy=moon"])


MEASURED = '''
import torch
from torch import nn
from torch.nn import functional
from hothouse.extend import ModelPart, key


class Measured(ModelPart, name="measured"):
    """A dense network that computes its cross-entropy itself, and how sure it is."""

    own: bool = key("Whether it brings them.", True)
    noisy: bool = key("Whether its loss draws.", False)

    def build(self, data):
        own, noisy = self.own, self.noisy

        class Plain(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Tanh(), nn.Linear(5, data.outputs))

            def forward(self, x):
                return self.layers(x)

        class Net(Plain):
            def loss(self, batch):
                z = self(batch.x)
                z = z + torch.randn_like(z) if noisy else z
                return functional.cross_entropy(z, batch.y, reduction="none")

            def metrics(self, batch):
                return {"sure": self(batch.x).softmax(dim=1).amax(dim=1)}

        return Net() if own else Plain()
'''


class TestALossOfItsOwn:
    """The same as the scenario's where it computes the same, whatever looks at losses."""

    @pytest.mark.parametrize(
        "overrides",
        [
            [],
            ["training.stacked=no", "training.early_stopping={patience: 1}", "data.client_holdout=0.3"],
            pytest.param(["federation.strategy=ifca"], marks=pytest.mark.slow),
            pytest.param(["federation.strategy={name: scaffold, control: option_1}"], marks=pytest.mark.slow),
            pytest.param(["training.batch_size=full"], marks=pytest.mark.slow),
        ],
        ids=str,
    )
    def test_it_takes_the_scenarios_place(self, nets: Path, overrides: list[str]) -> None:
        (nets / "nets.py").write_text(MEASURED)
        runs = [
            hothouse.run(scenario("measured", own=own), overrides=overrides, engine="local", out=str(own))
            for own in (True, False)
        ]
        own, plain = (run.model.network.arrays() for run in runs)
        for array, tensor in own.items():
            assert torch.allclose(tensor, plain[array], rtol=0, atol=1e-10), array
        columns = [one for one in runs[1].metrics if one.endswith(("loss", "accuracy"))]
        assert np.allclose(runs[0].metrics[columns], runs[1].metrics[columns], atol=1e-9, equal_nan=True)

    def test_its_metrics_are_means_over_examples(self, nets: Path) -> None:
        (nets / "nets.py").write_text(MEASURED)
        run = hothouse.run(scenario("measured"), engine="local", out="run")
        prepared = prepare(run.scenario)
        x = torch.from_numpy(np.array(prepared.x[prepared.test], dtype=np.float64))
        with torch.no_grad():
            expected = run.model.network(x).softmax(dim=1).amax(dim=1).mean()
        assert run.metrics.test_sure.iloc[-1] == pytest.approx(float(expected), abs=1e-9)
        assert hothouse.load("run").report().read_text().count("sure") > 1

    def test_what_it_draws_depends_on_the_client_alone(self, nets: Path) -> None:
        (nets / "nets.py").write_text(MEASURED)
        noisy = scenario("measured", noisy=True)
        one = hothouse.run(noisy, overrides=["federation.blocks=1"], engine="local", out="one")
        many = hothouse.run(noisy, overrides=["federation.blocks=6"], engine="local", out="many")
        assert one.summary["one_by_one"] == "its random layers draw for each client"
        for array, tensor in one.model.network.arrays().items():
            assert torch.allclose(many.model.network.arrays()[array], tensor, rtol=0, atol=1e-12), array

    @pytest.mark.parametrize(
        ("change", "overrides", "told"),
        [
            ("", ["training.loss=mse"], "training.loss: expected it left out: measured brings a loss"),
            ("", ["training.mixup=0.2"], "training.mixup: expected it left out"),
            ("", ["federation.strategy=moon"], "model: expected a network whose forward calls its own features"),
            ('reduction="none"', [], "its loss for 2 examples is (); expected (2,), one for each"),
            ("amax(dim=1)", [], "its sure for 2 examples is (2, 10); expected (2,), one for each"),
            ('"sure"', [], "its metric accuracy has the name of another metric"),
        ],
    )
    def test_what_does_not_go_with_it_is_refused(
        self, nets: Path, change: str, overrides: list[str], told: str
    ) -> None:
        other = {'"sure"': '"accuracy"', 'reduction="none"': 'reduction="mean"', "amax(dim=1)": "neg()"}
        (nets / "nets.py").write_text(MEASURED.replace(change, other[change]) if change else MEASURED)
        with pytest.raises(InputError) as caught:
            hothouse.run(scenario("measured"), overrides=overrides, engine="local", out="run")
        assert told in str(caught.value)
