"""The model a user gets back: the network together with what the federation agreed on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from common.data.data_spec import DataSpec
from common.data.text import Featurizer
from common.data.transform import Transform
from common.models import DTYPES, Network
from common.scenario.model import ModelPart
from common.tasks import Label


class Predictor(nn.Module):
    """Raw examples in, as they are in the data; logits or, in the target's own unit, numbers out.

    The network that was trained is `network`; `inputs` is the agreed transformation before it. What the network
    gives for a regression is multiplied by output_scale and moved by output_shift.
    """

    network: Network
    data_spec: DataSpec
    inputs: Transform
    output_shift: Tensor
    output_scale: Tensor

    def __init__(
        self,
        network: Network,
        spec: ModelPart,
        data_spec: DataSpec,
        untrained: Iterable[str] = (),
        client: int | None = None,
    ) -> None:
        """`untrained` are the network's arrays that its run left as they began, since clients keep their own.

        `client` is whose own model it is; None for the global one.
        """
        super().__init__()
        self.network, self.spec, self.data_spec = network, spec, data_spec
        self.untrained, self.client = tuple(untrained), client
        self.inputs = Transform(data_spec, DTYPES[spec.dtype])
        self.register_buffer("output_shift", torch.tensor(data_spec.target_shift, dtype=torch.float64))
        self.register_buffer("output_scale", torch.tensor(data_spec.target_scale, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Examples (…, raw features) of any numeric type → logits (…, classes) or numbers (…, targets).

        Numbers are of type float64, since a target's offset may be large. Pass examples with large offsets as
        float64 too. A categorical column holds codes into the agreement's categories, NaN is a missing value. Texts
        are given as their `features`.
        """
        seen = x.to(self.inputs.dtype) if self.data_spec.vocabulary is not None else self.inputs(x)
        outputs: Tensor = self.network(seen)
        if self.data_spec.task == "regression":
            outputs = outputs * self.output_scale + self.output_shift
        return outputs

    def features(self, texts: Sequence[str]) -> Tensor:
        """The features of texts, (texts, features): what `forward` takes for a model of texts."""
        if self.data_spec.vocabulary is None:
            raise ValueError("this model takes numbers, not texts")
        return torch.from_numpy(Featurizer(self.data_spec.vocabulary).features(texts).toarray())

    @torch.inference_mode()
    def predict(self, examples: Tensor | Sequence[str]) -> list[Label] | Tensor:
        """The labels of examples (examples, raw features) or of texts, or their targets (examples, targets)."""
        outputs: Tensor = self(examples if isinstance(examples, Tensor) else self.features(examples))
        if self.data_spec.task == "regression":
            return outputs
        return [self.data_spec.labels[code] for code in self.network.output.codes(outputs).tolist()]
