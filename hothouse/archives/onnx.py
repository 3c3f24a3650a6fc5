"""A model in the format ONNX, for programs that know nothing of PyTorch."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from common.errors import InputError
from common.models.generator import Generator
from common.models.predictor import Predictor
from common.models.token_generator import TokenGenerator


def onnx_files(model: Predictor) -> dict[str, bytes]:
    """The model's files by name.

    `model.onnx` takes `rows` (any number, features) and gives `outputs`; rows that are shifted are of float64. Of a
    generative model there are `encoder.onnx`, from `rows` to `codes`, the means of those that are distributions, and
    `decoder.onnx`, from `codes` to `means`: numbers in the data's own unit, then the probabilities of categories and of
    missing values. Both take `labels` too, codes of int64, where the model goes by labels.

    A model of documents takes `windows` (any number, context + headers), codes of int64 as `TokenGenerator.windows`
    gives them: places among the labels, then the unknown token and padding.

    What training learned about reading is in the metadata of each, under `hothouse.agreement` as JSON: the columns in
    the order of `rows`, their categories in the order of their codes, how numbers are written and what stands for a
    missing one (NaN in `rows`), the labels in the order of `outputs`, the terms that `rows` of a model of texts count.

    Raises InputError without the package onnx.
    """
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise InputError("--onnx needs the package onnx: pip install 'hothouse[onnx]'") from None
    if isinstance(model, TokenGenerator):
        return {"model.onnx": _exported(model, model, {"windows": model.windows("")}, "outputs")}
    words = model.data_spec.vocabulary
    width = len(model.data_spec.shift) if words is None else words.width
    # As training read them: an offset may be larger than what float32 can hold beside the differences.
    kind = torch.float64 if words is None and model.data_spec.shift.any() else model.inputs.dtype
    rows = torch.zeros(1, width, dtype=kind)
    if not isinstance(model, Generator):
        return {"model.onnx": _exported(model, model, {"rows": rows}, "outputs")}
    codes = torch.zeros(1, model.latent, dtype=model.inputs.dtype)
    labels = {"labels": torch.zeros(1, dtype=torch.int64)} if model.classes else {}
    return {
        "encoder.onnx": _exported(model, _Encoder(model), {"rows": rows, **labels}, "codes"),
        "decoder.onnx": _exported(model, _Decoder(model), {"codes": codes, **labels}, "means"),
    }


class _Encoder(nn.Module):
    def __init__(self, model: Generator) -> None:
        super().__init__()
        self.inputs, self.module, self.shaped = model.inputs, model.network.module, model.network.shaped

    def forward(self, rows: Tensor, labels: Tensor | None = None) -> Tensor:
        """Raw examples → codes."""
        encoded: Tensor = self.module.encode(self.shaped(self.inputs(rows)), labels)[0]  # type: ignore[operator]
        return encoded


class _Decoder(nn.Module):
    shift: Tensor
    scale: Tensor

    def __init__(self, model: Generator) -> None:
        super().__init__()
        self.module, spec = model.network.module, model.data_spec
        numeric = [place for place, column in enumerate(spec.columns) if column.categories is None]
        places = numeric if spec.columns else list(range(len(spec.shift)))
        others = spec.features - len(places)
        for name, rest in (("shift", 0.0), ("scale", 1.0)):
            numbers = torch.tensor([*getattr(spec, name)[places], *[rest] * others], dtype=torch.float64)
            self.register_buffer(name, numbers)

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Codes → means and probabilities."""
        means: Tensor = self.module.decode(codes, labels)  # type: ignore[operator]
        return means.double() * self.scale + self.shift


def _exported(model: Predictor, module: nn.Module, inputs: dict[str, Tensor], output: str) -> bytes:
    import onnx

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            path,
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes={name: {0: "rows"} for name in (*inputs, output)},
            dynamo=False,
        )
        exported = onnx.load(path)
    entry = exported.metadata_props.add()
    entry.key, entry.value = "hothouse.agreement", json.dumps(model.data_spec.words(), sort_keys=True)
    content: bytes = exported.SerializeToString()
    return content
