"""Reads windows of documents: the tokens before a position, cut when they are gathered."""

from __future__ import annotations

import torch
from torch import Tensor

from common.data.data_spec import DataSpec
from common.data.examples import ExampleChange, RawExamples
from common.data.prepared import Indices, Prepared
from common.data.tokens import TokenCosts
from common.errors import RunError


class TokenReader:
    """Reads positions of documents. An example is a token, and what the network sees are the tokens before it.

    Tokens are codes into the agreed ones, behind which come the code of unknown ones and that of padding, which stands
    where a document has not begun. Codes of the header values in force follow, 0 where there is none.
    """

    def __init__(self, prepared: Prepared, data_spec: DataSpec, dtype: torch.dtype) -> None:
        assert data_spec.tokens is not None, "no documents"
        names = [column.name for column in data_spec.columns]
        if [column.name for column in prepared.meta.columns] != names:
            raise RunError(f"documents have other headers here than the {', '.join(names[1:])} that were agreed")
        self.features, self._dtype = data_spec.features, dtype
        self._x, self._y = torch.from_numpy(prepared.x), torch.from_numpy(prepared.y)
        self._back = torch.arange(data_spec.tokens.context, 0, -1)
        unknown = len(data_spec.labels)
        places = {str(token): code for code, token in enumerate(data_spec.labels)}
        own = [str(token) for token in prepared.meta.labels]
        codes = [places.get(token, unknown) for token in own]
        self._codes, self._padding = torch.tensor(codes), unknown + 1
        self._headers = [
            torch.tensor([agreed.categories.index(value) if value in agreed.categories else 0 for value in mine])
            for mine, agreed in zip((c.categories for c in prepared.meta.columns), data_spec.columns, strict=True)
            if mine is not None and agreed.categories is not None
        ]
        costs = TokenCosts(data_spec.tokens.unit, tuple(str(token) for token in data_spec.labels))
        bits = [costs.bits(token) if code == unknown else 0.0 for token, code in zip(own, codes, strict=True)]
        self._unknown_bits = torch.tensor(bits, dtype=torch.float64)
        self._characters = None
        if data_spec.tokens.unit == "words":
            self._characters = torch.tensor([len(token) for token in own], dtype=torch.float64)

    def inputs(self, positions: Tensor, fill: Tensor | None = None, change: ExampleChange | None = None) -> Tensor:
        """The windows at `positions` (any shape of int64), shape (*positions.shape, context + headers)."""
        flat = positions.reshape(-1)
        raw = self._x.index_select(0, flat)
        at = flat[:, None] - self._back
        # Where the document has not begun, any place does.
        codes = self._codes[self._y[at.clamp_(min=0)]]
        codes.masked_fill_(self._back > raw[:, :1], self._padding)
        parts = [codes, *(header[raw[:, place + 1].long(), None] for place, header in enumerate(self._headers))]
        return torch.cat(parts, dim=1).to(self._dtype).view(*positions.shape, -1)

    def targets(self, positions: Tensor) -> Tensor:
        """The codes of the tokens at `positions`, int64 of that shape."""
        return self._codes[self._y.index_select(0, positions.reshape(-1))].view(positions.shape)

    def terms(self, positions: Tensor) -> dict[str, Tensor]:
        """What metrics add up beside the loss, (examples,) each, at `positions` (examples,).

        `tokens` are 1, `unknown_bits` what an unknown token costs to be told, and of words `characters` their length.
        """
        own = self._y.index_select(0, positions)
        found = {"tokens": torch.ones(len(own), dtype=torch.float64), "unknown_bits": self._unknown_bits[own]}
        return found if self._characters is None else found | {"characters": self._characters[own]}

    def fills(self, clients: Indices) -> Tensor | None:
        """Documents have no gaps."""
        return None

    def raw(self) -> RawExamples | None:
        """Tokens are no numbers."""
        return None
