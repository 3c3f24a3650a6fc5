"""What a scenario trains, and by which trainer, before anything is trained."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clients.compiled.library import library
from common.data import Prepared
from common.data.data_spec import DataSpec, sorted_columns, sorted_labels
from common.data.tokens import TokenWindows, frequent_tokens
from common.errors import InputError
from common.scenario import Scenario
from common.scenario.model import MLPModel
from common.scenario.objective import learned_task
from common.scenario.trainers import trainer_for, uncovered


def describe_network(scenario: Scenario, prepared: Prepared) -> str:
    """The network's name, and which way it is trained and why.

    Of a network that is no mlp also its size, unless the run counts words or gaps first.

    Raises InputError for a network that does not fit the data, and for a method that does not fit the network.
    """
    built = library() is not None
    parts = (scenario.model, scenario.training, scenario.federation.strategy)
    size, alone = "", ""
    if not isinstance(scenario.model, MLPModel) and prepared.meta.text is None and not prepared.meta.indicators:
        # PyTorch takes a second to import.
        from common.models import build, check_network

        network = build(scenario.model, _data_spec(scenario, prepared), scenario.seed, scenario.training.stacking)
        check_network(scenario, network)
        size = f" of {sum(parameter.numel() for parameter in network.parameters()):,} parameters"
        why = getattr(network, "why_alone", "")
        alone = f", clients one by one: {why}" if why else ", clients in stacks"
    if trainer_for(*parts, built) == "compiled":
        return f"{scenario.model.name}{size}, trained by the compiled trainer"
    needs = uncovered(*parts)
    reason = f" ({needs} needs it)" if needs else "" if built else " (the compiled trainer was not built here)"
    return f"{scenario.model.name}{size}, trained by PyTorch{reason}{alone}"


def _data_spec(scenario: Scenario, prepared: Prepared) -> DataSpec:
    """What the run will agree on, as far as shapes go."""
    meta = prepared.meta
    model: Any = scenario.model
    features = math.prod(meta.row_shape)
    labels, tokens = sorted_labels(meta.labels), None
    if meta.sequence is not None:
        own = np.concatenate([prepared.y[prepared.training_examples(client)] for client in prepared.clients.tolist()])
        counts = dict(zip(map(str, meta.labels), np.bincount(own, minlength=len(meta.labels)).tolist(), strict=True))
        try:
            labels, tokens = frequent_tokens(counts, meta.sequence), TokenWindows(meta.sequence.unit, model.context)
        except ValueError as error:
            raise InputError(str(error), "data.source.min_count") from None
    return DataSpec(
        task=learned_task(scenario.model, meta.task),
        row_shape=tuple(meta.row_shape),
        labels=labels,
        columns=sorted_columns(meta.columns),
        shift=np.zeros(features),
        scale=np.ones(features),
        fill=np.full(features, np.nan),
        own_fill=False,
        indicators=(),
        target_shift=np.zeros(meta.targets),
        target_scale=np.ones(meta.targets),
        unit_range=meta.unit_range,
        tokens=tokens,
    )
