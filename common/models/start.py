"""Weights to start from: those of an earlier run, an archive or a model file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common.archives import read_archive
from common.arrays import Named
from common.errors import InputError
from common.models.predictor import Predictor, load_model, read_model
from common.scenario import Scenario
from common.scenario.base import Part

_KEY = "model.from"
_OWN = ("layers", "activation", "output", "normalization", "dtype")
"""What a model is made of; the rest of `model:` is about its training."""


def with_earlier_shape(scenario: Scenario, path: str) -> Scenario:
    """The scenario with the shape of the model in `path`.

    Raises InputError where it gives another shape, or where there is no such file.
    """
    earlier = _earlier(path).spec
    own = scenario.model.model_fields_set
    for name in _OWN:
        mine, theirs = getattr(scenario.model, name), getattr(earlier, name)
        if name in own and mine != theirs:
            raise InputError(
                f"expected {_shown(theirs)}, as the model to start from has, not {_shown(mine)}", f"model.{name}"
            )
    model = scenario.model.model_copy(update={name: getattr(earlier, name) for name in _OWN})
    return scenario.model_copy(update={"model": model})


def starting_weights(scenario: Scenario, like: Named) -> Named | None:
    """The weights and running statistics to start from, in the shapes of `like`; None where a scenario names none.

    Raises InputError where the earlier model was for other rows or other classes.
    """
    if scenario.model.from_ is None:
        return None
    network = _earlier(scenario.model.from_).network
    found = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    for name, array in like.items():
        if found[name].shape != array.shape:
            raise InputError(
                f"the model to start from has {name} of shape {found[name].shape}; "
                f"this data (features in, classes or targets out) needs {array.shape}",
                _KEY,
            )
    return found


def _earlier(path: str) -> Predictor:
    source = Path(path)
    if source.is_dir():
        source = source / "model.safetensors"
    if not source.is_file():
        raise InputError(f"expected a run's folder with a model, an archive or a .safetensors file; no {source}", _KEY)
    try:
        if source.suffix == ".safetensors":
            return load_model(source)
        return read_model(read_archive(source, only=("model.safetensors",))["model.safetensors"])
    except ValueError as error:
        raise InputError(f"{source} holds no model of Hothouse's ({error})", _KEY) from None


def _shown(value: Any) -> str:
    if isinstance(value, Part):
        return str(value.model_dump(mode="json"))
    return str(list(value) if isinstance(value, tuple) else value)
