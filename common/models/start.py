"""Weights to start from: those of an earlier run, an archive or a model file, or arrays by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from common.archives import read_archive
from common.arrays import NamedArrays
from common.data.data_spec import DataSpec
from common.errors import InputError
from common.models.model_file import load_model, read_model
from common.models.predictor import Predictor
from common.scenario import Scenario
from common.scenario.base import Part
from common.scenario.model import MLPModel
from common.wording import first_few

_KEY = "model.from"
_OWN = ("layers", "activation", "output", "normalization", "dtype")
"""What an MLP is made of; the rest of `model:` is about its training."""
_ABOUT_TRAINING = ("name", "from_", "strict", "frozen")
"""What an own network is not made of."""


def with_earlier_shape(scenario: Scenario, path: str) -> Scenario:
    """The scenario with the shape of the model in `path`.

    Raises InputError where it gives another shape, or where there is no such file.
    """
    if _has_arrays_alone(Path(path)):
        if isinstance(scenario.model, MLPModel):
            raise InputError(f"{path} is not a Hothouse model; only networks that are no mlp start from arrays", _KEY)
        return scenario
    earlier = _earlier(path).spec
    if type(earlier) is not type(scenario.model):
        raise InputError(f"expected {earlier.name}, which the model to start from is", "model.name")
    own = scenario.model.model_fields_set
    names: tuple[str, ...] = _OWN
    if not isinstance(earlier, MLPModel):
        names = tuple(name for name in type(earlier).model_fields if name not in _ABOUT_TRAINING)
    for name in names:
        mine, theirs = getattr(scenario.model, name), getattr(earlier, name)
        if name in own and mine != theirs:
            raise InputError(
                f"expected {_format_value(theirs)}, as the model to start from has, not {_format_value(mine)}",
                f"model.{name}",
            )
    model = scenario.model.model_copy(update={name: getattr(earlier, name) for name in names})
    return scenario.model_copy(update={"model": model})


def starting_weights(
    scenario: Scenario, fresh: NamedArrays, data_spec: DataSpec
) -> tuple[NamedArrays, list[str]] | None:
    """The weights and running statistics to start from, and what of them is new; None where a scenario names none.

    The earlier model's inputs and outputs are matched by their names: columns, categories, terms and labels may stand
    in another order. Categories, terms and labels that it does not know keep their `fresh` weights, which is told.

    Raises InputError where the earlier model was for other rows or another task.
    """
    if scenario.model.from_ is None:
        return None
    if _has_arrays_alone(Path(scenario.model.from_)):
        return _arrays_of(scenario.model.from_, fresh, scenario.model.strict)
    earlier = _earlier(scenario.model.from_)
    if not isinstance(earlier.spec, MLPModel):
        return _same_arrays(earlier, fresh, data_spec), []
    inputs, new_inputs = _matched(_inputs(earlier.data_spec), _inputs(data_spec), "inputs")
    width = earlier.network.output.width
    outputs, new_outputs = _matched(_outputs(earlier.data_spec, width), _outputs(data_spec, width), "classes")
    last = f"layers.{len(earlier.spec.layers)}"
    weights = {}
    for name, tensor in earlier.network.arrays().items():
        array = tensor.numpy()
        rows = outputs if name in (f"{last}.weight", f"{last}.bias") else None
        columns = inputs if name == "layers.0.weight" else None
        weights[name] = _place_units(array, fresh[name], rows, columns)
    never = earlier.untrained
    began = [f"{len(never)} arrays were never trained in the run to start from, such as {never[0]}"] if never else []
    return weights, [*new_inputs, *new_outputs, *began]


def _same_arrays(earlier: Predictor, fresh: NamedArrays, data_spec: DataSpec) -> NamedArrays:
    """The weights of an own network, which knows nothing of what its inputs and outputs stand for."""
    width = earlier.network.output.width
    for what, old, new in (
        ("inputs", _inputs(earlier.data_spec), _inputs(data_spec)),
        ("outputs", _outputs(earlier.data_spec, width), _outputs(data_spec, width)),
    ):
        if old != new:
            raise InputError(
                f"the model to start from was trained on other {what}: {_names_of(old)}, not {_names_of(new)}", _KEY
            )
    weights = {name: tensor.numpy() for name, tensor in earlier.network.arrays().items()}
    for name in sorted(weights.keys() ^ fresh.keys()):
        raise InputError(f"{name} is in one of the two networks only", _KEY)
    return weights


def _has_arrays_alone(path: Path) -> bool:
    """Whether a .safetensors file has arrays and says nothing of a Hothouse model."""
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        with safe_open(str(path), framework="pt") as file:
            return "hothouse" not in (file.metadata() or {})
    except SafetensorError:
        return False


def _arrays_of(path: str, fresh: NamedArrays, strict: bool) -> tuple[NamedArrays, list[str]]:
    """A file's arrays in those of the network, by name, and a sentence on what stays as it was drawn.

    Counters and other whole numbers in the file are not looked at. Raises InputError where, if `strict`, arrays are
    missing, have another shape or belong nowhere, and where numbers are not finite or no array has a name.
    """
    found = {name: tensor for name, tensor in load_file(path).items() if tensor.is_floating_point()}
    problems = {name: f"no array {name}" for name in fresh.keys() - found.keys()}
    problems |= {name: f"an array {name}, which the network has not" for name in found.keys() - fresh.keys()}
    weights = dict(fresh)
    for name in fresh.keys() & found.keys():
        mine, theirs = fresh[name].shape, tuple(found[name].shape)
        if not found[name].isfinite().all():
            raise InputError(f"{path}: {name} has numbers that are infinite or not a number (NaN)", _KEY)
        if mine == theirs:
            weights[name] = found[name].double().numpy().astype(fresh[name].dtype)
        else:
            problems[name] = f"{name} of shape {theirs}; the network's is {mine}"
    if strict and problems:
        told = "; ".join(problems[name] for name in sorted(problems)[:3])
        more = f", and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise InputError(f"{path} has {told}{more}; model.strict: false takes what fits", _KEY)
    drawn = [name for name in fresh if name in problems]
    if len(drawn) == len(fresh):
        raise InputError(f"{path} has no array of the network's; it has {first_few(sorted(fresh), 3)}", _KEY)
    return weights, [
        f"{len(drawn)} of {len(fresh)} arrays keep their drawn weights: {first_few(drawn, 3)}"
    ] if drawn else []


Unit = tuple[str, ...]
"""What an input or an output of a network stands for."""


def _inputs(agreed: DataSpec) -> list[Unit]:
    """What the network's inputs stand for, in the order of `common.data.transform`."""
    if agreed.vocabulary is not None:
        words = agreed.vocabulary
        rule = f"{words.features} {words.rule}"
        return [("text", rule, term) for term in (words.terms or map(str, range(words.width)))]
    if not agreed.columns:
        return [("number", f"{agreed.row_shape}", str(place)) for place in range(len(agreed.shift))]
    columns = agreed.columns
    found: list[Unit] = [("number", column.name) for column in columns if column.categories is None]
    for column in columns:
        found += [("category", column.name, one) for one in column.categories or ()]
    return [*found, *(("missing", columns[place].name) for place in agreed.indicators)]


def _outputs(agreed: DataSpec, width: int) -> list[Unit]:
    """What a network's `width` outputs stand for; a single one for two classes stands for both, in their order."""
    if agreed.task == "regression":
        return [("target", str(place)) for place in range(agreed.outputs)]
    labels = [str(label) for label in agreed.labels]
    if len(labels) == 2 and width == 1:
        return [("two classes", *labels)]
    return [("class", label) for label in labels]


_MAY_BE_NEW = ("category", "text", "class")


def _matched(old: list[Unit], new: list[Unit], what: str) -> tuple[NDArray[np.int64], list[str]]:
    """For each unit of `new` where it stands in `old`, −1 where it is not there; and a sentence if some are not.

    Raises InputError where they are of other columns, shapes or kinds, or have nothing in common.
    """
    places = {unit: place for place, unit in enumerate(old)}
    found = np.array([places.get(unit, -1) for unit in new], dtype=np.int64)
    kinds = [{unit if unit[0] not in _MAY_BE_NEW else unit[:-1] for unit in units} for units in (old, new)]
    if kinds[0] != kinds[1]:
        only = sorted(" ".join(unit) for unit in kinds[0] ^ kinds[1])
        raise InputError(
            f"the model to start from was trained on other {what}; {len(only)} are in one of the two only, "
            f"such as {only[0]}",
            _KEY,
        )
    if not (found >= 0).any():
        raise InputError(
            f"the model to start from was trained on other {what}: {_names_of(old)}, not {_names_of(new)}", _KEY
        )
    fresh = [unit for unit, place in zip(new, found.tolist(), strict=True) if place < 0]
    if not fresh:
        return found, []
    return found, [f"{len(fresh)} of {len(new)} {what} are new to the model, such as {fresh[0][-1]!r}: they start anew"]


def _names_of(units: list[Unit]) -> str:
    return first_few([unit[-1] for unit in units], 3)


def _place_units(
    array: NDArray[Any], fresh: NDArray[Any], rows: NDArray[np.int64] | None, columns: NDArray[np.int64] | None
) -> NDArray[Any]:
    """The array with its rows and columns where they belong, `fresh` numbers where there is none."""
    if rows is None and columns is None:
        return array
    rows = np.arange(len(array)) if rows is None else rows
    if array.ndim == 1:
        return np.where(rows >= 0, array[rows], fresh)
    columns = np.arange(array.shape[1]) if columns is None else columns
    known = (rows >= 0)[:, None] & (columns >= 0)[None, :]
    return np.where(known, array[rows[:, None], columns[None, :]], fresh)


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
        raise InputError(f"{source} is not a Hothouse model ({error})", _KEY) from None


def _format_value(value: Any) -> str:
    if isinstance(value, Part):
        return str(value.model_dump(mode="json"))
    return str(list(value) if isinstance(value, tuple) else value)
