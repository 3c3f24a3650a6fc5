"""A generative model as a user gets it back: it encodes, decodes, scores and makes new examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from common import seeds
from common.data.inverse import raw_examples
from common.errors import InputError
from common.models.own import OwnNetwork
from common.models.predictor import Predictor
from common.tasks import Label

_AT_ONCE = 1024
"""Examples that pass through the network together."""
Labels = Label | Sequence[Label] | None
"""The label of each example, or one for all of them."""


class Generator(Predictor):
    """Examples are raw ones, (examples, raw features), as they are in the data; codes are (examples, latent).

    A model that was trained with `conditional` takes a label of each example, or one for all of them.

    Raises InputError, in each method, for labels that the model does not know or has no use for, and where its
    module has no `encode` or `decode`.
    """

    network: OwnNetwork

    def forward(self, examples: Tensor, labels: Labels = None) -> Tensor:
        """The reconstructions of examples: what the decoder makes of their codes."""
        return self.decode(self.encode(examples, labels), labels)

    def predict(self, examples: Tensor | Sequence[str]) -> list[Label] | Tensor:
        """Raises InputError: it makes examples."""
        raise InputError(f"{self.spec.name} makes examples and predicts nothing; expected generate, encode or decode")

    @property
    def latent(self) -> int:
        """How many numbers a code has."""
        return int(self._method("decode", "latent"))

    @property
    def can_encode(self) -> bool:
        """Whether its module encodes and decodes."""
        return all(hasattr(self.network.module, name) for name in ("encode", "decode"))

    @property
    def can_generate(self) -> bool:
        """Whether there is a distribution of codes to draw new examples from."""
        module = self.network.module
        return all(hasattr(module, name) for name in ("decode", "latent")) and getattr(
            module, "codes_have_spread", True
        )

    @property
    def classes(self) -> int:
        """How many labels it can be asked for; 0 for a model that goes by none."""
        return int(getattr(self.network.module, "classes", 0))

    @torch.inference_mode()
    def encode(self, examples: Tensor, labels: Labels = None) -> Tensor:
        """The codes of examples, the means of those that are distributions: (examples, latent)."""
        encode, y = self._method("encode"), self._codes(labels, len(examples))
        x = self.network.shaped(self.inputs(examples.flatten(1)))
        return torch.cat([encode(*piece)[0] for piece in _pieces(x, y)])

    @torch.inference_mode()
    def decode(self, codes: Tensor, labels: Labels = None, draw: np.random.Generator | None = None) -> Tensor:
        """The most likely examples with these codes, (examples, raw features), float64; with `draw`, drawn ones."""
        decode, y = self._method("decode"), self._codes(labels, len(codes))
        means = torch.cat([decode(*piece) for piece in _pieces(codes.to(self.inputs.dtype), y)])
        return raw_examples(self.data_spec, means, draw, float(getattr(self.network.module, "sigma", 0.0)))

    def generate(self, count: int = 1, label: Labels = None, temperature: float = 1.0, seed: int = 0) -> Tensor:
        """New examples, (count, raw features): codes are drawn from N(0, temperature²), labels as often as in training.

        Rows of a table are drawn from what their codes make likely; images are its mean, without a noise of pixels.

        Raises InputError for a model whose codes have no distribution.
        """
        return self.generate_labelled(count, label, temperature, seed)[0]

    def generate_labelled(
        self, count: int = 1, label: Labels = None, temperature: float = 1.0, seed: int = 0
    ) -> tuple[Tensor, list[Label]]:
        """The same with the label of each; without any where the model goes by none."""
        if not getattr(self.network.module, "codes_have_spread", True):
            raise InputError(
                f"{self.spec.name} has no distribution of codes to draw from; decode codes of examples, or train a vae"
            )
        draw = seeds.generator(seed, "generate")
        codes = torch.from_numpy(draw.standard_normal((count, self.latent))) * temperature
        labels: list[Label] = []
        if self.classes:
            labels = self._drawn_labels(count, draw) if label is None else self._of_each(label, count)
        elif label is not None:
            self._codes(label, count)
        return self.decode(codes, labels or None, draw if self.data_spec.columns else None), labels

    def vary(self, example: Tensor, amount: float, count: int, label: Labels = None, seed: int = 0) -> Tensor:
        """Examples like one (1, raw features): its code, moved by normal noise of standard deviation `amount`."""
        noise = torch.from_numpy(seeds.generator(seed, "vary").standard_normal((count, self.latent)))
        return self.decode(self.encode(example, label) + amount * noise, label)

    def between(self, first: Tensor, last: Tensor, steps: int, label: Labels = None) -> Tensor:
        """`steps` examples on the line from the code of one to that of another, both among them; (1, raw features)."""
        shares = torch.linspace(0, 1, steps, dtype=torch.float64)[:, None]
        codes = [self.encode(one, label).double() for one in (first, last)]
        return self.decode(codes[0] + shares * (codes[1] - codes[0]), label)

    @torch.inference_mode()
    def score(self, examples: Tensor, labels: Labels = None, seed: int = 0) -> dict[str, Tensor]:
        """What is measured of examples, by name, (examples,) each: the loss, its parts, the reconstruction's error.

        One code, or as many as the model measures with, is drawn for each example by `seed`.
        """
        y = self._codes(labels, len(examples))
        keys = seeds.bits(seeds.streams(seed, "score", 0, np.zeros(1, np.int64)), len(examples))[0]
        weights = {name: tensor[None] for name, tensor in self.network.arrays().items()}
        found = self.network.measures_stack(weights, self.inputs(examples.flatten(1))[None], y[None], keys)
        return {name: values[0] for name, values in found.items()}

    def _method(self, name: str, attribute: str = "") -> Any:
        found = getattr(self.network.module, attribute or name, None)
        if found is None:
            raise InputError(f"{self.spec.name}: its module has no {attribute or name}")
        return found

    def _codes(self, labels: Labels, count: int) -> Tensor:
        """The codes of labels; zeros for a model that goes by none."""
        if labels is None and self.classes:
            raise InputError(f"expected a label: the model was trained with them ({self._known()})")
        if labels is None:
            return torch.zeros(count, dtype=torch.int64)
        if not self.classes:
            raise InputError("expected no label: the model was trained without (model.conditional: false)")
        places = {str(label): code for code, label in enumerate(self.data_spec.labels)}
        each = self._of_each(labels, count)
        for label in each:
            if str(label) not in places:
                raise InputError(f"expected one of the labels {self._known()}, got {label!r}")
        return torch.tensor([places[str(label)] for label in each], dtype=torch.int64)

    def _of_each(self, labels: Labels, count: int) -> list[Label]:
        if labels is None or isinstance(labels, str | int):
            return [labels] * count if labels is not None else []
        if len(labels) != count:
            raise InputError(f"expected {count} labels, one for each example, got {len(labels)}")
        return list(labels)

    def _drawn_labels(self, count: int, draw: np.random.Generator) -> list[Label]:
        counts = self.data_spec.label_counts
        shares = counts / counts.sum() if len(counts) else None
        return [self.data_spec.labels[code] for code in draw.choice(self.classes, count, p=shares).tolist()]

    def _known(self) -> str:
        return ", ".join(map(str, self.data_spec.labels[:20]))


def _pieces(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Rows of several tensors together, not too many at a time."""
    return zip(*(torch.split(tensor, _AT_ONCE) for tensor in tensors), strict=True)
