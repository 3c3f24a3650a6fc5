"""Whatever the network and the settings: a client in a stack ends where plain PyTorch takes it alone."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clients.compiled.library import library
from common.arrays import NamedArrays
from tests.clients.test_truth import (
    CLASSIFYING,
    EVERY_ACTIVATION,
    EVERY_OPTIMIZER,
    REGRESSING,
    assert_close,
    one_each,
)
from tests.federations import federation, scenario, trained_alone

RATES = st.sampled_from([0.0, 0.0, 0.25, 0.6])
GOALS = [("classification", kind) for kind in CLASSIFYING] + [("regression", kind) for kind in REGRESSING]


@st.composite
def models(draw: st.DrawFn) -> dict[str, Any]:
    """The `model:` of a scenario."""
    layers = draw(st.lists(st.integers(1, 9), max_size=3))
    return {
        "layers": layers,
        # Adaptive optimizers turn what rounding leaves of a zero gradient into steps: no dead units, no zeros.
        "activation": draw(st.sampled_from([one for one in EVERY_ACTIVATION if one != "relu"])),
        "normalization": draw(st.sampled_from(["none", "layer", {"name": "batch", "momentum": 0.3}])),
        "initialization": draw(st.sampled_from(["default", "xavier_normal", "he_uniform", "orthogonal"])),
        "dropout": [draw(RATES) for _ in layers],
        "input_dropout": draw(RATES),
        "drop_connect": draw(RATES),
        "dtype": "float64",
    }


@st.composite
def trainings(draw: st.DrawFn) -> dict[str, Any]:
    """The `training:` of a scenario."""
    length = draw(st.sampled_from([{"epochs": 1}, {"epochs": 3}, {"steps": 5}]))
    schedules = [{"name": "cosine", "by": "step"}, {"name": "warmup", "length": 4, "by": "step"}, {"name": "linear"}]
    return {
        **length,
        "batch_size": draw(st.one_of(st.integers(2, 12), st.just("full"))),
        "optimizer": draw(st.sampled_from(EVERY_OPTIMIZER)),
        "schedule": draw(st.lists(st.sampled_from(schedules), max_size=2)),
        "clip_norm": draw(st.sampled_from([None, 0.5])),
        "regularization": {
            "l1": draw(st.sampled_from([0.0, 0.01])),
            "l2": draw(st.sampled_from([0.0, 0.1])),
            "weight_decay": draw(st.sampled_from([0.0, 0.1])),
            "l2_budget": draw(st.sampled_from([None, 4.0])),
            "biases": draw(st.booleans()),
        },
        "mixup": draw(st.sampled_from([None, None, 0.5])),
        "stack": draw(st.integers(1, 5)),
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    seed=st.integers(0, 1000),
    sizes=st.lists(st.integers(1, 25), min_size=1, max_size=4),
    model=models(),
    training=trainings(),
    goal=st.sampled_from(
        [*(("classification", kind) for kind in CLASSIFYING)] + [("regression", k) for k in REGRESSING]
    ),
)
def test_a_stack_equals_its_clients_alone(
    seed: int, sizes: list[int], model: dict[str, Any], training: dict[str, Any], goal: tuple[str, dict[str, Any]]
) -> None:
    task, kind = goal
    with tempfile.TemporaryDirectory() as folder:
        prepared = federation(Path(folder), sizes, task, seed)
        chosen = scenario(
            seed=seed,
            model={**model, "output": kind.get("output", "auto")},
            training={**training, "loss": kind["loss"]},
        )
        for client, mine in enumerate(one_each(chosen, prepared, round_number=3)):
            alone, _ = trained_alone(chosen, prepared, client, round_number=3)
            assert_close(mine, alone, 1e-8)


@pytest.mark.skipif(library() is None, reason="the compiled trainer is not built here")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    seed=st.integers(0, 1000),
    sizes=st.lists(st.integers(1, 25), min_size=1, max_size=4),
    model=models(),
    training=trainings(),
    kind=st.sampled_from(CLASSIFYING),
)
def test_the_compiled_trainer_rounds_no_worse_than_pytorch(
    seed: int, sizes: list[int], model: dict[str, Any], training: dict[str, Any], kind: dict[str, Any]
) -> None:
    """Errors against float64; batch normalization of a few examples magnifies both."""
    # Near 0 a penalty Σ│w│ has two gradients.
    rules = {**training["regularization"], "l1": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        prepared = federation(Path(folder), sizes, "classification", seed)

        def trained(engine: str, dtype: str) -> list[NamedArrays]:
            chosen = scenario(
                seed=seed,
                model={**model, "output": kind.get("output", "auto"), "dtype": dtype},
                training={**training, "regularization": rules, "loss": kind["loss"], "trainer": engine},
            )
            return one_each(chosen, prepared, round_number=3)

        if training["batch_size"] == "full" and model["normalization"] not in ("none", "layer") and model["layers"]:
            return
        exact, ours, theirs = trained("torch", "float64"), trained("compiled", "float32"), trained("torch", "float32")
        apart, allowed = (
            max(np.abs(one[name] - other[name]).max() for one, other in zip(exact, found, strict=True) for name in one)
            for found in (ours, theirs)
        )
        assert apart <= 10 * allowed + 1e-5
