"""The file that holds a model: its network, what the federation agreed on, and nothing that is run."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from common.data.data_spec import DataSpec
from common.errors import InputError
from common.models import DTYPES, Network, array_shapes, on_meta
from common.models.predictor import Predictor
from common.scenario.activations import ACTIVATIONS
from common.scenario.initializations import INITIALIZATIONS
from common.scenario.model import MODELS, MLPModel, Model, ModelPart
from common.scenario.normalizations import NORMALIZATIONS
from common.scenario.registry import Family
from common.scenario.uses import Use, find_beside, uses_of


def as_model(
    network: Network, spec: ModelPart, data_spec: DataSpec, untrained: Iterable[str] = (), client: int | None = None
) -> Predictor:
    """What a user gets back of a network: a `Predictor`, a `Generator` of one that learned the examples themselves, or
    a `TokenGenerator` of one that learned documents.

    `untrained` and `client` as in `Predictor`.
    """
    kind = Predictor
    if data_spec.tokens is not None:
        from common.models.token_generator import TokenGenerator

        kind = TokenGenerator
    elif data_spec.task == "generation":
        # It takes torch.func, which takes a while to import.
        from common.models.generator import Generator

        kind = Generator
    return kind(network, spec, data_spec, untrained, client).eval()


def to_bytes(model: Predictor) -> bytes:
    """The model as a safetensors file; equal models give equal bytes."""
    about: dict[str, Any] = {
        "model": model.spec.model_dump(mode="json", exclude={"from_"}),
        "agreement": model.data_spec.words(),
        "untrained": model.untrained,
        "client": model.client,
    }
    spec = model.spec
    own = (spec.activation, spec.normalization, spec.initialization) if isinstance(spec, MLPModel) else (spec,)
    if uses := uses_of(*own):
        about["uses"] = [use.model_dump() for use in uses]
    tensors = {f"network.{name}": tensor.contiguous() for name, tensor in model.network.arrays().items()}
    # In float64, so that the agreement is the same to the last bit when it is read.
    agreed = {f"agreement.{name}": torch.from_numpy(np.array(a)) for name, a in model.data_spec.arrays().items()}
    # A single entry: safetensors writes several in no fixed order.
    return save(tensors | agreed, metadata={"hothouse": json.dumps(about, sort_keys=True)})


def load_model(path: str | Path) -> Predictor:
    """The model in a file that `to_bytes` wrote.

    Raises ValueError for any other file, OSError for one that cannot be read. Nothing is unpickled.
    """
    with Path(path).open("rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("expected a plain file")
        return read_model(file.read(), Path(path).parent)


def read_model(content: bytes, folder: Path | None = None) -> Predictor:
    """The model that `to_bytes` gave. Raises ValueError for anything else. Nothing is unpickled.

    A user's activation, say, is loaded from the folder `uses` in `folder`; without one such a model is refused.
    """
    try:
        tensors, about = _parts(content)
        used = [Use.model_validate(use) for use in about.get("uses", [])]
        if used and folder is None:
            raise ValueError(f"it uses {', '.join(use.name for use in used)}, which is not loaded from here")
        with find_beside(used, folder or Path()).active():
            return _model(about, tensors)
    except InputError as error:
        raise ValueError(str(error)) from None
    except _NO_MODEL as error:
        raise ValueError(f"not a model of Hothouse's: {error}") from None


def check_model(content: bytes) -> list[Use]:
    """What the model in `content` uses; raises ValueError where that is not what `to_bytes` gave.

    Names, shapes, types and numbers are checked. Nothing is run: built-in parts take the place of its author's own.
    """
    try:
        tensors, about = _parts(content)
        model, used = about["model"], [Use.model_validate(use) for use in about.get("uses", [])]
        if used and model.get("name", "mlp") not in MODELS.parts:
            odd = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
            if odd:
                raise ValueError(f"{odd[0]} has numbers that are infinite or not a number (NaN)")
            return used
        for key, family, stand_in in _STAND_INS if used and "layers" in model else ():
            if model[key]["name"] not in family.parts:
                model[key] = stand_in
                if key == "normalization":
                    tensors = _without_norms(tensors, model["layers"])
        _model(about, tensors)
        return used
    except _NO_MODEL as error:
        raise ValueError(f"not a model of Hothouse's: {error}") from None


_MODEL: TypeAdapter[ModelPart] = TypeAdapter(Model)
_STAND_INS: tuple[tuple[str, Family[Any], str], ...] = (
    ("activation", ACTIVATIONS, "relu"),
    ("initialization", INITIALIZATIONS, "default"),
    ("normalization", NORMALIZATIONS, "none"),
)
"""The parts of a model that can be of its author's own, and what has arrays of the same names and shapes."""


def _without_norms(tensors: dict[str, Tensor], layers: list[int]) -> dict[str, Tensor]:
    """The others, once the arrays of an unknown normalization are what every normalization's are."""
    prefix, rest = "network.norms.", dict(tensors)
    for name in [name for name in tensors if name.startswith(prefix)]:
        layer, tensor = int(name[len(prefix) :].partition(".")[0]), rest.pop(name)
        if tuple(tensor.shape) != (layers[layer],) or not tensor.isfinite().all():
            raise ValueError(f"{name} is not {layers[layer]} finite numbers")
    return rest


_NO_MODEL = (SafetensorError, LookupError, TypeError, AttributeError, RuntimeError, RecursionError, ArithmeticError)
"""What reading as a model something that is none may raise, besides ValueError."""


def _parts(content: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a model's file, and what its header says."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return load(content), json.loads(header["__metadata__"]["hothouse"])


def _model(about: dict[str, Any], tensors: dict[str, Tensor]) -> Predictor:
    spec = _MODEL.validate_python(about["model"])
    agreed, weights = (
        {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        for prefix in ("agreement.", "network.")
    )
    data_spec = DataSpec.of(about["agreement"], {name: tensor.numpy() for name, tensor in agreed.items()})
    # A header of a few bytes can claim a network of any size: nothing is made before the shapes are compared.
    for name, value in spec:
        if isinstance(value, tuple) and len(value) > len(weights):
            raise ValueError(f"{len(value)} {name}, but only {len(weights)} arrays of weights")
    expected = {name: (shape, DTYPES[spec.dtype]) for name, shape in array_shapes(spec, data_spec).items()}
    found = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise ValueError(
                f"{name} is {_format_array(found.get(name))}; its settings make it {_format_array(expected.get(name))}"
            )
        if not weights[name].isfinite().all():
            raise ValueError(f"{name} has numbers that are infinite or not a number (NaN)")
    network = on_meta(spec, data_spec)
    network.assign(weights)
    untrained, client = tuple(map(str, about.get("untrained", ()))), about.get("client")
    return as_model(network, spec, data_spec, untrained, client if isinstance(client, int) else None)


def _format_array(array: tuple[tuple[int, ...], torch.dtype] | None) -> str:
    return "not there" if array is None else f"{array[1]} of shape {array[0]}".removeprefix("torch.")
