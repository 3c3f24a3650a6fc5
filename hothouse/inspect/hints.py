"""Advice on a scenario: what is allowed and rarely wise, each with its reason. Nothing here is ever forced."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from common.data import Prepared
from common.data.augmentable import needs_spread
from common.scenario import Scenario
from common.scenario.model import MLPModel
from common.scenario.objective import output_kind
from common.scenario.optimizers import Sgd

Hint = Callable[[Scenario, Prepared], Iterator[str]]

_FEW_ROWS = 4
_DEEP = 3
_LOOKED_AT = 50_000_000
"""How many of the first numbers are searched for gaps."""


def hints(scenario: Scenario, prepared: Prepared) -> list[str]:
    """What a user should know of a scenario and its data."""
    found = [told for hint in HINTS for told in hint(scenario, prepared)]
    if isinstance(scenario.model, MLPModel):
        found += [told for hint in MLP_HINTS for told in hint(scenario.model, scenario, prepared)]
    return [*prepared.meta.hints, *found]


def _output(scenario: Scenario, prepared: Prepared) -> Iterator[str]:
    kind = output_kind(scenario.model, prepared.meta.task)
    if prepared.meta.task == "regression" and kind != "linear":
        yield (
            f"model.output: {kind} only reaches numbers between 0 and 1, and this is a regression; "
            "linear reaches them all"
        )
    if prepared.meta.task == "classification" and kind == "linear":
        yield (
            "model.output: linear fits numbers to the classes by squared error; "
            "softmax gives probabilities, and cross-entropy learns faster from what is badly wrong"
        )


def _missing_values(model: MLPModel, scenario: Scenario, prepared: Prepared) -> Iterator[str]:
    name, x = model.activation.name, prepared.x
    # To look through every pixel of many images would take long.
    if not np.issubdtype(x.dtype, np.floating) or not np.isnan(x[: _LOOKED_AT // max(1, x.shape[1])]).any():
        return
    if name in ("relu", "leaky_relu") and model.layers:
        yield (
            f"model.activation: {name} with missing values: what fills a gap is a guess, and its error grows with the "
            "weights; tanh bounds it"
        )


def _zeros(model: MLPModel, scenario: Scenario, prepared: Prepared) -> Iterator[str]:
    if model.initialization.name == "zeros" and model.layers and model.from_ is None:
        yield (
            "model.initialization: zeros with hidden layers: all units of a layer get the same gradient, so that they "
            "stay alike for ever; he_uniform or xavier_uniform breaks the symmetry"
        )


def _spread(model: MLPModel, scenario: Scenario, prepared: Prepared) -> Iterator[str]:
    start, activation = model.initialization.name, model.activation.name
    if not model.layers or model.normalization.name != "none":
        return
    if start.startswith("he_") and activation in ("tanh", "sigmoid"):
        yield (
            f"model.initialization: {start} makes up for units that ReLU silences, and {activation} silences none; "
            f"{start.replace('he', 'xavier')} keeps the spread of its signals"
        )
    if start.startswith("xavier_") and activation in ("relu", "leaky_relu"):
        yield (
            f"model.initialization: {start} halves the spread of signals from layer to layer with {activation}, which "
            f"silences half of the units; {start.replace('xavier', 'he')} makes up for it"
        )


def _batch_statistics(model: MLPModel, scenario: Scenario, prepared: Prepared) -> Iterator[str]:
    if model.normalization.name != "batch" or not model.layers:
        return
    if scenario.training.batch_size == 1:
        yield (
            "training.batch_size: 1 with batch normalization: one example has no spread, so that every unit gives its "
            "shift and nothing else; layer normalization works example by example"
        )
        return
    small = int((prepared.training_sizes < _FEW_ROWS).sum())
    if small:
        yield (
            f"model.normalization: {small} of {len(prepared.clients)} clients have fewer than {_FEW_ROWS} examples to "
            "train on, and statistics of so few say little; layer normalization works example by example"
        )


def _deep_sigmoid(model: MLPModel, scenario: Scenario, prepared: Prepared) -> Iterator[str]:
    if model.activation.name == "sigmoid" and len(model.layers) >= _DEEP and model.normalization.name == "none":
        yield (
            f"model.activation: sigmoid in {len(model.layers)} hidden layers: its slope is at most ¼, so that "
            "gradients fade on their way back; relu or tanh, or a normalization, keeps them"
        )


def _nothing_kept(scenario: Scenario, prepared: Prepared) -> Iterator[str]:
    optimizer = scenario.training.optimizer
    if scenario.training.optimizer_state == "client" and isinstance(optimizer, Sgd) and not optimizer.momentum:
        yield "training.optimizer_state: client has no effect, sgd without momentum carries nothing from step to step"


def _nothing_personal(scenario: Scenario, prepared: Prepared) -> Iterator[str]:
    strategy, model = scenario.federation.strategy, scenario.model
    if (
        strategy.name == "fedbn"
        and isinstance(model, MLPModel)
        and (model.normalization.name != "batch" or not model.layers)
    ):
        yield "federation.strategy: fedbn without batch normalization keeps nothing local, and is FedAvg"
    if strategy.outcome == "own" and not scenario.data.client_holdout:
        yield (
            f"data.client_holdout: 0 with {strategy.name}: what clients' own models are good for shows on examples of "
            "their own alone, and there are none"
        )


def _not_robust(scenario: Scenario, prepared: Prepared) -> Iterator[str]:
    strategy, meta = scenario.federation.strategy, prepared.meta
    moments = meta.scaling == "standardize" or meta.filling != "none" or meta.indicators
    sums = {
        "the columns' means and deviations": moments or needs_spread(scenario.training.augmentation),
        "the vocabulary": meta.sequence is not None or (meta.text is not None and meta.text.features != "hashed"),
        "the labels' weights": getattr(scenario.training.loss, "class_weights", None) == "balanced",
    }
    told = [what for what, asked in sums.items() if asked]
    if strategy.robust and told:
        yield (
            f"federation.strategy: {strategy.name} does not protect what clients agree on before round 1: "
            f"{' and '.join(told)} come as sums, which a single client can falsify"
        )


def _one_label(scenario: Scenario, prepared: Prepared) -> Iterator[str]:
    if len(prepared.meta.labels) == 1:
        yield f"data.source: every example has the label {prepared.meta.labels[0]!r}, there is nothing to tell apart"


def _nothing_held_out(scenario: Scenario, prepared: Prepared) -> Iterator[str]:
    if scenario.data.client_holdout and not prepared.holdout_sizes.any():
        yield (
            f"data.client_holdout: {scenario.data.client_holdout:g} of at most {prepared.training_sizes.max()} "
            "examples rounds to zero at every client; increase it to hold some out"
        )


MLP_HINTS = (_missing_values, _zeros, _spread, _batch_statistics, _deep_sigmoid)
HINTS: tuple[Hint, ...] = (
    _output,
    _nothing_kept,
    _nothing_personal,
    _not_robust,
    _one_label,
    _nothing_held_out,
)
