"""A model of documents as a user gets it back: it continues texts and scores them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common import seeds
from common.data.tokens import END, TokenCosts, TokenWindows, header_values, join_tokens, tokenize
from common.errors import InputError
from common.models.own import OwnNetwork
from common.models.predictor import Predictor
from common.tasks import Label

_AT_ONCE = 1024
"""Positions that pass through the network together."""


@dataclass(frozen=True)
class TextScore:
    """How likely a model finds a text as the beginning of a document."""

    tokens: tuple[str, ...]
    bits: NDArray[np.float64]
    """−log₂ p of each token, and of unknown ones log₂ of what they may stand for, (tokens,)."""

    @property
    def bits_per_token(self) -> float:
        """The mean."""
        return float(self.bits.mean())

    @property
    def perplexity(self) -> float:
        """2 to the power of it."""
        return float(2**self.bits_per_token)


class TokenGenerator(Predictor):
    """Texts are documents, or how some begin. Windows are codes, (positions, context + headers)."""

    network: OwnNetwork

    def forward(self, windows: Tensor) -> Tensor:
        """Logits of the token behind each window: (positions, tokens + 1), the last of the unknown token."""
        logits: Tensor = self.network(windows.to(self.inputs.dtype))
        return logits

    def predict(self, examples: Tensor | Sequence[str]) -> list[Label] | Tensor:
        """Raises InputError: it continues texts."""
        raise InputError(f"{self.spec.name} continues texts and predicts no labels; expected generate or score")

    @property
    def can_generate(self) -> bool:
        """Whether it continues texts."""
        return True

    @property
    def tokens(self) -> list[str]:
        """The known tokens, by code; the empty one ends a document."""
        return [str(token) for token in self.data_spec.labels]

    @property
    def unit(self) -> str:
        """characters, bytes or words."""
        return self._rule.unit

    @property
    def _rule(self) -> TokenWindows:
        assert self.data_spec.tokens is not None, "a model of other examples"
        return self.data_spec.tokens

    @cached_property
    def _places(self) -> dict[str, int]:
        return {token: code for code, token in enumerate(self.tokens)}

    @property
    def headers(self) -> list[str]:
        """The names of the header lines that it is told the values of."""
        return [column.name for column in self.data_spec.columns[1:]]

    def windows(self, text: str) -> Tensor:
        """The window before each of a text's tokens and the one behind the last: (tokens + 1, context + headers)."""
        tokens = tokenize(text, self.unit)
        unknown = len(self.tokens)
        codes = [self._places.get(token, unknown) for token in tokens]
        context = self._rule.context
        padded = np.array([*[unknown + 1] * context, *codes], dtype=np.int64)
        found = np.lib.stride_tricks.sliding_window_view(padded, context)
        values = [header_values(name, "".join(tokens), tokens, self.unit) for name in self.headers]
        in_force = [self._value_codes(place, of_header) for place, of_header in enumerate(values)]
        return torch.from_numpy(np.concatenate([found, *(codes[:, None] for codes in in_force)], axis=1))

    def _value_codes(self, place: int, values: Sequence[str]) -> NDArray[np.int64]:
        """The codes of a header's values; those that nobody has are as none."""
        known = self.data_spec.columns[place + 1].categories or ()
        return np.array([known.index(value) if value in known else known.index("") for value in values])

    @torch.inference_mode()
    def probabilities(self, text: str) -> NDArray[np.float64]:
        """p of every token at each of a text's places and behind it: (tokens of the text + 1, known tokens + 1)."""
        pieces = torch.split(self.windows(text), _AT_ONCE)
        logits = torch.cat([self(piece).double() for piece in pieces])
        return np.asarray(logits.softmax(dim=-1).numpy())

    def score(self, text: str) -> TextScore:
        """How likely the model finds a text as the beginning of a document. Raises InputError for an empty one."""
        tokens = tokenize(text, self.unit)
        if not tokens:
            raise InputError("expected a text to score, got an empty one")
        unknown = len(self.tokens)
        codes = np.array([self._places.get(token, unknown) for token in tokens])
        p = self.probabilities(text)[np.arange(len(tokens)), codes]
        costs = TokenCosts(self.unit, tuple(self.tokens))
        extra = [costs.bits(token) if code == unknown else 0.0 for token, code in zip(tokens, codes, strict=True)]
        with np.errstate(divide="ignore"):
            return TextScore(tuple(tokens), -np.log2(p) + extra)

    @torch.inference_mode()
    def generate(
        self,
        prompt: str = "",
        length: int = 500,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        count: int = 1,
        seed: int = 0,
    ) -> list[str]:
        """Documents that begin with a prompt: up to `length` further tokens each, or fewer where one ends before.

        Tokens are drawn from p^(1/temperature), of the `top_k` most likely ones, and of the most likely ones that
        together have at least `top_p` of what is left (Holtzman et al. 2020, section 3.1). Temperature 0 takes the
        most likely. Unknown tokens are never drawn. Each text has a stream of its own, so that more of them changes
        none.

        Raises InputError for a temperature below 0, a top_k below 1, or a top_p that is not above 0 and at most 1.
        """
        if temperature < 0 or (top_k is not None and top_k < 1) or not 0 < top_p <= 1:
            raise InputError("expected temperature ≥ 0, top_k ≥ 1 and 0 < top_p ≤ 1")
        texts = [tokenize(prompt, self.unit) for _ in range(count)]
        draws = [seeds.generator(seed, "continue", place) for place in range(count)]
        window = self.windows(prompt)[-1:].repeat(count, 1)
        going = list(range(count))
        context = self._rule.context
        for _ in range(length):
            if not going:
                break
            logits = self(window[going])[:, : len(self.tokens)].double().numpy()
            still = []
            for place, row in zip(going, logits, strict=True):
                code = sampled(row, temperature, top_k, top_p, draws[place])
                token = self.tokens[code]
                if token == END:
                    continue
                texts[place].append(token)
                window[place, : context - 1] = window[place, 1:context].clone()
                window[place, context - 1] = code
                if self.headers and token == "\n":
                    self._read_header(texts[place], window[place])
                still.append(place)
            going = still
        return [join_tokens(text, self.unit) for text in texts]

    def _read_header(self, tokens: list[str], window: Tensor) -> None:
        """Take note of the value where the line that has just ended is a header."""
        start = len(tokens) - 1
        while start and tokens[start - 1] != "\n":
            start -= 1
        line = tokens[start:]
        for place, name in enumerate(self.headers):
            value = header_values(name, "".join(line), line, self.unit)[-1]
            if value or "".join(line).startswith(f"{name}:"):
                window[self._rule.context + place] = int(self._value_codes(place, [value])[0])


def sampled(
    logits: NDArray[np.float64], temperature: float, top_k: int | None, top_p: float, draw: np.random.Generator
) -> int:
    """A place among `logits` (tokens,), drawn as `TokenGenerator.generate` says; the first of equals at 0."""
    if temperature == 0:
        return int(logits.argmax())
    scaled = (logits - logits.max()) / temperature
    order = np.argsort(-scaled, kind="stable")[: top_k or None]
    p = np.exp(scaled[order])
    p /= p.sum()
    # What comes before a token has less than top_p together.
    kept = max(1, int(np.searchsorted(np.cumsum(p) - p, top_p - 1e-12 if top_p < 1 else math.inf)))
    total = np.cumsum(p[:kept])
    return int(order[min(kept - 1, int(np.searchsorted(total, draw.random() * total[-1], side="right")))])
