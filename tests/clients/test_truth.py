"""Training equals training each client alone with torch.nn and torch.optim on the same batches.

Both trainers are held to it: PyTorch's in stacks, in float64 and float32, and the compiled one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from clients.blocks.blocks import train_blocks
from clients.compiled.library import library
from clients.training.widths import stack_width
from common.arrays import NamedArrays
from common.data import Prepared
from common.messages import InitialWeights, TrainReply
from common.scenario import Scenario
from tests.federations import federation, scenario, train_order, trained_alone
from tests.strategies import sampled

RAGGED = [23, 5, 40, 1, 16, 17, 33, 2]
"""Rows per client: full batches and partial ones, many steps and a single one, in no order."""


class Trainer(NamedTuple):
    engine: str
    dtype: str
    tolerance: float


TORCH, TORCH_32 = Trainer("torch", "float64", 1e-10), Trainer("torch", "float32", 1e-5)
COMPILED = Trainer("compiled", "float32", 1e-5)


def either(*trainers: Trainer) -> pytest.MarkDecorator:
    """Run a test with each of the trainers, by default with both."""
    absent = pytest.mark.skipif(library() is None, reason="the compiled trainer is not built here")
    chosen = [
        pytest.param(
            trainer, marks=absent if trainer.engine == "compiled" else (), id=f"{trainer.engine}-{trainer.dtype}"
        )
        for trainer in trainers or (TORCH, COMPILED)
    ]
    return pytest.mark.parametrize("by", chosen)


@pytest.fixture(params=["classification", "regression"])
def prepared(request: pytest.FixtureRequest, tmp_path: Path) -> Prepared:
    return federation(tmp_path, RAGGED, request.param)


@pytest.fixture(params=["classification", "regression"])
def few(request: pytest.FixtureRequest, tmp_path: Path) -> Prepared:
    return federation(tmp_path, [17, 5, 1], request.param)


def one_each(chosen: Scenario, prepared: Prepared, **more: Any) -> list[NamedArrays]:
    """Every client's own weights after training all of them in one message, a block each."""
    clients = prepared.clients.tolist()
    reply = train_blocks(prepared, train_order(chosen, prepared, [[client] for client in clients], **more))
    assert not reply.excluded
    return [mean(reply, block) for block in clients]


def mean(reply: TrainReply, block: int) -> NamedArrays:
    sums = {name: array for kind in reply.sums.values() for name, array in kind.items()}
    return {name: array[block] / reply.weights[block] for name, array in sums.items()}


def assert_close(one: NamedArrays, other: NamedArrays, tolerance: float) -> None:
    for name in other:
        assert np.abs(one[name] - other[name]).max() <= tolerance, name


@either(TORCH, TORCH_32, COMPILED)
@pytest.mark.parametrize(
    ("length", "momentum"),
    [
        ({"epochs": 2, "batch_size": 8}, 0.9),
        ({"steps": 7, "batch_size": 8}, 0.0),
        ({"epochs": 3, "batch_size": "full"}, 0.9),
    ],
    ids=["epochs", "steps", "full batch"],
)
def test_a_block_is_the_sum_of_its_clients_each_trained_alone(
    prepared: Prepared, by: Trainer, momentum: float, length: dict[str, Any]
) -> None:
    chosen = scenario(
        seed=11,
        model={"layers": [7, 5], "dtype": by.dtype},
        training={
            **length,
            "trainer": by.engine,
            "optimizer": {"name": "sgd", "lr": 0.1, "momentum": momentum},
            "stack": 5,
        },
    )
    cohort = [6, 0, 3, 2, 7, 1, 5, 4]
    reply = train_blocks(prepared, train_order(chosen, prepared, [cohort]))
    alone = [trained_alone(chosen, prepared, client) for client in cohort]
    weights = np.array([RAGGED[client] for client in cohort])
    assert reply.weights.tolist() == [weights.sum()]
    expected = {name: np.average([one[name] for one, _ in alone], axis=0, weights=weights) for name in alone[0][0]}
    assert_close(mean(reply, 0), expected, by.tolerance)
    assert np.allclose(reply.metrics["train_loss"], [loss for _, loss in alone], atol=by.tolerance)


@either()
@pytest.mark.parametrize("stack", [1, 3, 8])
def test_how_many_clients_are_stacked_changes_none_of_them(prepared: Prepared, by: Trainer, stack: int) -> None:
    chosen = scenario(
        model={"layers": [7], "dtype": by.dtype},
        training={
            "trainer": by.engine,
            "epochs": 2,
            "batch_size": 8,
            "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9},
            "stack": stack,
        },
    )
    reply = train_blocks(prepared, train_order(chosen, prepared, [list(range(8))]))
    alone = one_each(chosen, prepared)
    weights = np.array(RAGGED)
    expected = {name: np.average([one[name] for one in alone], axis=0, weights=weights) for name in alone[0]}
    assert_close(mean(reply, 0), expected, 1e-12 if by is TORCH else 1e-6)


@either()
def test_momentum_does_not_move_a_client_that_has_no_batches_left(tmp_path: Path, by: Trainer) -> None:
    prepared = federation(tmp_path, [8, 80])
    chosen = scenario(
        model={"layers": [4], "dtype": by.dtype},
        training={
            "trainer": by.engine,
            "batch_size": 8,
            "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9},
        },
    )
    together = train_blocks(prepared, train_order(chosen, prepared, [[0, 1]]))
    short, long = (trained_alone(chosen, prepared, c)[0] for c in (0, 1))
    assert together.metrics["steps"].tolist() == [1, 10]
    assert_close(mean(together, 0), {name: (8 * short[name] + 80 * long[name]) / 88 for name in short}, by.tolerance)


@either()
def test_clients_may_have_rates_and_starts_of_their_own(prepared: Prepared, by: Trainer) -> None:
    rates = np.linspace(0.01, 0.3, 8)
    model = {"layers": [4], "dtype": by.dtype}
    chosen = scenario(model=model, training={"batch_size": 8, "stack": 8, "trainer": by.engine})
    order = train_order(chosen, prepared, [[client] for client in range(8)], values={"optimizer.lr": rates})
    rng = np.random.default_rng(0)
    starts = {name: rng.normal(size=(8, *array.shape)) * 0.1 for name, array in order.parameters.items()}
    reply = train_blocks(prepared, replace(order, starts=InitialWeights(np.arange(8), starts)))
    for client in range(8):
        start = {name: array[client] for name, array in starts.items()}
        rate = {"name": "sgd", "lr": float(rates[client])}
        own = scenario(model=model, training={"batch_size": 8, "optimizer": rate})
        alone, _ = trained_alone(own, prepared, client, start)
        assert_close(mean(reply, client), alone, by.tolerance)


@either(TORCH_32, COMPILED)
def test_which_blocks_travel_together_changes_no_bit(prepared: Prepared, by: Trainer) -> None:
    chosen = scenario(model={"layers": [7]}, training={"epochs": 2, "batch_size": 8, "stack": 2, "trainer": by.engine})
    blocks = [[0, 1, 2], [3, 4], [5, 6, 7]]
    together = train_blocks(prepared, train_order(chosen, prepared, blocks))
    for index in (2, 0, 1):
        apart = train_blocks(prepared, train_order(chosen, prepared, [blocks[index]]))
        for name, array in apart.sums["parameters"].items():
            assert array[0].tobytes() == together.sums["parameters"][name][index].tobytes()


@either(TORCH_32, COMPILED)
def test_a_client_that_diverges_is_left_out_and_named(tmp_path: Path, by: Trainer) -> None:
    prepared = federation(tmp_path, [16, 16, 16], "regression")
    rates = {"optimizer.lr": np.array([0.01, 1e30, 0.01])}
    chosen = scenario(model={"layers": [4]}, training={"epochs": 5, "batch_size": 8, "trainer": by.engine})
    reply = train_blocks(prepared, train_order(chosen, prepared, [[0, 1, 2]], values=rates))
    without = train_blocks(
        prepared, train_order(chosen, prepared, [[0, 2]], values={"optimizer.lr": np.array([0.01, 0.01])})
    )
    assert list(reply.excluded) == [1]
    assert reply.weights.tolist() == [32.0]
    assert reply.metrics["examples"].tolist() == [16, 0, 16]
    assert_close(mean(reply, 0), mean(without, 0), 1e-6)


def test_stacks_follow_from_the_models_size() -> None:
    assert stack_width(2_410) == 64
    assert stack_width(199_210) == 16
    assert stack_width(10_000_000) == 1


CLASSIFYING: list[dict[str, Any]] = [
    {"loss": "cross_entropy"},
    {"loss": {"name": "cross_entropy", "label_smoothing": 0.1, "class_weights": {"0": 2.0, "2": 0.3}}},
    {"output": "sigmoid", "loss": {"name": "binary_cross_entropy", "class_weights": {"1": 3.0}}},
    {"output": "sigmoid", "loss": {"name": "binary_cross_entropy", "label_smoothing": 0.2}},
    {"output": "linear", "loss": "mse"},
    {"loss": "half_mse"},
]
REGRESSING: list[dict[str, Any]] = [
    {"loss": "mse"},
    {"loss": "half_mse"},
    {"loss": {"name": "huber", "delta": 0.7}},
    {"output": "softmax", "loss": "mse"},
]
EVERY_OPTIMIZER: list[dict[str, Any]] = [
    {"name": "sgd", "lr": 0.1},
    {"name": "sgd", "lr": 0.1, "momentum": 0.9},
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True},
    {"name": "momentum", "lr": 0.05, "momentum": 0.8},
    {"name": "averaged_momentum", "lr": 0.3, "momentum": 0.7},
    {"name": "adagrad", "lr": 0.05, "initial": 0.1},
    {"name": "rmsprop", "lr": 0.01, "decay": 0.9, "eps": 1e-4, "momentum": 0.5},
    {"name": "adam", "lr": 0.01, "beta1": 0.8, "beta2": 0.95, "eps": 1e-4},
    {"name": "adamw", "lr": 0.01, "weight_decay": 0.1, "eps": 1e-4},
]
EVERY_ACTIVATION: list[Any] = ["relu", {"name": "leaky_relu", "slope": 0.2}, "tanh", "sigmoid", "gelu", "silu"]


def of_all_kinds(
    optimizer: dict[str, Any], activation: Any, normalization: Any, kind: dict[str, Any], by: Trainer, **training: Any
) -> Scenario:
    output = kind.get("output", "auto")
    return scenario(
        seed=3,
        model={
            "layers": [6, 5],
            "activation": activation,
            "normalization": normalization,
            "output": output,
            "dtype": by.dtype,
        },
        training={
            "trainer": by.engine,
            "batch_size": 8,
            "optimizer": optimizer,
            "loss": kind["loss"],
            "stack": 5,
            **training,
        },
    )


def assert_each_as_alone(chosen: Scenario, prepared: Prepared, tolerance: float) -> None:
    for client, mine in enumerate(one_each(chosen, prepared)):
        alone, _ = trained_alone(chosen, prepared, client)
        assert_close(mine, alone, tolerance)


def kinds_of(prepared: Prepared) -> list[dict[str, Any]]:
    return CLASSIFYING if prepared.meta.task == "classification" else REGRESSING


@either()
@pytest.mark.parametrize(("optimizer", "activation"), [(o, (o + more) % 6) for o in range(9) for more in (0, 3)])
def test_every_optimizer_with_every_activation(few: Prepared, by: Trainer, optimizer: int, activation: int) -> None:
    # Losses and normalizations take turns; the slow test has all combinations.
    kinds, normalizations = kinds_of(few), ("none", "batch", "layer")
    kind, normalization = (
        kinds[(optimizer + activation) % len(kinds)],
        normalizations[(optimizer + activation // 2) % 3],
    )
    chosen = of_all_kinds(EVERY_OPTIMIZER[optimizer], EVERY_ACTIVATION[activation], normalization, kind, by)
    assert_each_as_alone(chosen, few, by.tolerance)


@pytest.mark.slow
@either()
@pytest.mark.parametrize("activation", EVERY_ACTIVATION, ids=str)
@pytest.mark.parametrize("optimizer", EVERY_OPTIMIZER, ids=lambda o: "-".join(map(str, o.values())))
def test_every_optimizer_with_every_activation_loss_and_normalization(
    few: Prepared, by: Trainer, optimizer: dict[str, Any], activation: Any
) -> None:
    for normalization in ("none", "batch", "layer"):
        for kind in kinds_of(few):
            chosen = of_all_kinds(optimizer, activation, normalization, kind, by)
            assert_each_as_alone(chosen, few, by.tolerance)


@pytest.mark.parametrize("normalization", ["none", "batch", "layer"])
@pytest.mark.parametrize("optimizer", EVERY_OPTIMIZER, ids=lambda o: "-".join(map(str, o.values())))
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_optimizer_in_float32(tmp_path: Path, task: str, optimizer: dict[str, Any], normalization: str) -> None:
    # Whole batches: the statistics of one or two rows magnify what rounding leaves.
    prepared = federation(tmp_path, [24, 8, 40], task)
    chosen = of_all_kinds(optimizer, "tanh", normalization, {"loss": "auto"}, TORCH_32)
    assert_each_as_alone(chosen, prepared, TORCH_32.tolerance)


RULES: list[dict[str, Any]] = [
    {"regularization": {"l1": 0.01}},
    {"regularization": {"l2": 0.1}},
    {"regularization": {"l1": 0.01, "l2": 0.1, "biases": True}},
    {"regularization": {"weight_decay": 0.2}, "schedule": {"name": "exponential", "factor": 0.8, "by": "step"}},
    {"clip_norm": 0.3},
    {"clip_value": 0.02},
    {"clip_norm": 0.3, "clip_value": 0.1, "regularization": {"l2": 0.1}},
]
BUDGETS: list[dict[str, Any]] = [
    {"regularization": {"l1_budget": 9.0}},
    {"regularization": {"l2_budget": 2.5, "biases": True}},
    {"clip_norm": 0.3, "clip_value": 0.1, "regularization": {"l2": 0.1, "l1_budget": 12.0}},
]


def in_turns(every: list[dict[str, Any]]) -> list[Any]:
    """Each rule with one optimizer, SGD and Adam in turn; with the other one it is slow."""
    found = []
    for index, rules in enumerate(every):
        for place, optimizer in enumerate((EVERY_OPTIMIZER[1], EVERY_OPTIMIZER[7])):
            name = f"{optimizer['name']}-{'-'.join(rules.get('regularization', rules))}"
            marks = [pytest.mark.slow] * ((index + place) % 2)
            found.append(pytest.param(optimizer, rules, marks=marks, id=name))
    return found


def assert_a_rule_counts(prepared: Prepared, by: Trainer, optimizer: dict[str, Any], rules: dict[str, Any]) -> None:
    chosen = of_all_kinds(optimizer, "tanh", "none", {"loss": "auto"}, by, **rules)
    assert_each_as_alone(chosen, prepared, by.tolerance)
    without = of_all_kinds(optimizer, "tanh", "none", {"loss": "auto"}, by)
    one, other = one_each(chosen, prepared)[0], one_each(without, prepared)[0]
    assert any(np.abs(one[name] - other[name]).max() > 1e-3 for name in one), "the rule does nothing here"


@either()
@pytest.mark.parametrize(("optimizer", "rules"), in_turns(RULES))
def test_every_rule_that_keeps_weights_small(
    prepared: Prepared, by: Trainer, optimizer: dict[str, Any], rules: dict[str, Any]
) -> None:
    assert_a_rule_counts(prepared, by, optimizer, rules)


@pytest.mark.parametrize(("optimizer", "rules"), in_turns(BUDGETS))
def test_every_budget(prepared: Prepared, optimizer: dict[str, Any], rules: dict[str, Any]) -> None:
    assert_a_rule_counts(prepared, TORCH, optimizer, rules)


@either()
@pytest.mark.parametrize("counted", sampled(["round", "step"], "step"))
@pytest.mark.parametrize(
    "schedule",
    [
        {"name": "constant"},
        {"name": "step", "every": 2, "factor": 0.1},
        {"name": "exponential", "factor": 0.7},
        {"name": "cosine"},
        {"name": "cosine", "length": 3, "final": 0.2},
        {"name": "linear", "final": 0.1},
        {"name": "warmup", "length": 4, "start": 0.2},
        {"name": "inverse_sqrt", "offset": 2.0},
    ],
    ids=lambda schedule: "-".join(map(str, schedule.values())),
)
def test_every_schedule_of_the_learning_rate(
    prepared: Prepared, by: Trainer, schedule: dict[str, Any], counted: str
) -> None:
    both = [{**schedule, "by": counted}, {"name": "exponential", "factor": 0.9, "by": "step"}]
    chosen = of_all_kinds({"name": "momentum", "lr": 0.3}, "tanh", "none", {"loss": "auto"}, by, schedule=both)
    for client, mine in enumerate(one_each(chosen, prepared, round_number=4)):
        assert_close(mine, trained_alone(chosen, prepared, client, round_number=4)[0], by.tolerance)


@either()
def test_every_constant_may_be_each_clients_own(prepared: Prepared, by: Trainer) -> None:
    rng = np.random.default_rng(1)
    values = {
        "optimizer.lr": rng.uniform(0.01, 0.1, 8),
        "optimizer.beta1": rng.uniform(0.5, 0.9, 8),
        "optimizer.weight_decay": rng.uniform(0, 0.3, 8),
        "regularization.l2": rng.uniform(0, 0.3, 8),
        "clip_norm": rng.uniform(0.1, 0.5, 8),
    }
    shared = of_all_kinds({"name": "adamw"}, "tanh", "none", {"loss": "auto"}, by, clip_norm=9.0)
    for client, mine in enumerate(one_each(shared, prepared, values=values)):
        constants = {name.split(".")[1]: float(v[client]) for name, v in values.items() if name.startswith("opt")}
        own = of_all_kinds(
            {"name": "adamw", **constants},
            "tanh",
            "none",
            {"loss": "auto"},
            by,
            clip_norm=float(values["clip_norm"][client]),
            regularization={"l2": float(values["regularization.l2"][client])},
        )
        assert_close(mine, trained_alone(own, prepared, client)[0], by.tolerance)


@either()
def test_two_classes_may_have_one_output(tmp_path: Path, by: Trainer) -> None:
    prepared = federation(tmp_path, RAGGED)
    prepared.y[:] %= 2
    prepared.meta.labels[:] = ["no", "yes"]
    chosen = of_all_kinds(EVERY_OPTIMIZER[0], "tanh", "none", {"output": "sigmoid", "loss": "auto"}, by)
    assert_each_as_alone(chosen, prepared, by.tolerance)
