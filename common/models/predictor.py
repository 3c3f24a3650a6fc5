"""The model a user gets back: the network together with the scaling that the federation agreed on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from common.data.agreement import Agreement
from common.data.table import Label, Task
from common.models import DTYPES, MLP, build
from common.scenario.model import Model


class Predictor(nn.Module):
    """Raw rows in, as they are in the data; logits or, in the target's own unit, numbers out.

    The network that was trained is `network`. It sees (x − input_shift) / input_scale; what it gives for a
    regression is multiplied by output_scale and moved by output_shift.
    """

    input_shift: Tensor
    input_scale: Tensor
    output_shift: Tensor
    output_scale: Tensor

    def __init__(self, network: MLP, spec: Model, agreement: Agreement) -> None:
        super().__init__()
        self.network, self.spec = network, spec
        self.task: Task = agreement.task
        self.labels: tuple[Label, ...] = agreement.labels
        self.row_shape = agreement.row_shape
        dtype = DTYPES[spec.dtype]
        for name, array in (
            ("input_shift", agreement.shift),
            ("input_scale", agreement.scale),
            ("output_shift", agreement.target_shift),
            ("output_scale", agreement.target_scale),
        ):
            self.register_buffer(name, torch.tensor(array, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Rows (…, features) of any numeric type → logits (…, classes) or numbers (…, targets)."""
        outputs: Tensor = self.network((x.to(self.input_shift.dtype) - self.input_shift) / self.input_scale)
        if self.task == "regression":
            outputs = outputs * self.output_scale + self.output_shift
        return outputs

    @torch.inference_mode()
    def predict(self, x: Tensor) -> list[Label] | Tensor:
        """The labels of rows (rows, features), or their targets (rows, targets)."""
        outputs: Tensor = self(x)
        if self.task == "regression":
            return outputs
        return [self.labels[code] for code in outputs.argmax(dim=-1).tolist()]


def to_bytes(model: Predictor) -> bytes:
    """The model as a safetensors file; equal models give equal bytes."""
    about = {"model": model.spec.model_dump(mode="json", exclude={"from_"}), "task": model.task, "labels": model.labels}
    about["row_shape"] = model.row_shape
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    # A single entry: safetensors writes several in no fixed order.
    return save(tensors, metadata={"hothouse": json.dumps(about, sort_keys=True)})


def load_model(path: str | Path) -> Predictor:
    """The model in a file that `to_bytes` wrote. Raises ValueError for any other file. Nothing is unpickled."""
    return read_model(Path(path).read_bytes())


def read_model(content: bytes) -> Predictor:
    """The model that `to_bytes` gave. Raises ValueError for anything else. Nothing is unpickled."""
    try:
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return _model(json.loads(header["__metadata__"]["hothouse"]), tensors)
    except (SafetensorError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"not a model of Hothouse's: {error}") from None


def _model(about: dict[str, Any], tensors: dict[str, Tensor]) -> Predictor:
    spec = Model.model_validate(about["model"])
    arrays = {name: tensors[name].double().numpy() for name in tensors if not name.startswith("network.")}
    agreement = Agreement(
        about["task"],
        tuple(about["row_shape"]),
        tuple(about["labels"]),
        arrays["input_shift"],
        arrays["input_scale"],
        arrays["output_shift"],
        arrays["output_scale"],
    )
    model = Predictor(build(spec, agreement.features, agreement.outputs, seed=0), spec, agreement)
    model.load_state_dict(tensors)
    return model.eval()
