"""Raw rows, gathered and scaled as agreed: what the network sees."""

from __future__ import annotations

import torch
from torch import Tensor

from common.data.agreement import Agreement
from common.data.prepared import Prepared
from common.errors import RunError


class Rows:
    """A host's rows as tensors of the network's number type, scaled when they are gathered."""

    def __init__(self, prepared: Prepared, agreement: Agreement, dtype: torch.dtype) -> None:
        self._x = torch.from_numpy(prepared.x)
        self._y = torch.from_numpy(prepared.y)
        self._dtype = dtype
        if self._x.shape[1] != agreement.features:
            raise RunError(f"rows have {self._x.shape[1]} features here, the federation agreed on {agreement.features}")
        self._shift = torch.tensor(agreement.shift, dtype=dtype)
        self._scale = torch.tensor(agreement.scale, dtype=dtype)
        self._shifted, self._scaled = bool(self._shift.any()), bool((self._scale != 1).any())
        self._codes: Tensor | None = None
        if agreement.task == "classification":
            places = {str(label): code for code, label in enumerate(agreement.labels)}
            unknown = [label for label in prepared.meta.labels if str(label) not in places]
            if unknown:
                raise RunError(f"the federation did not agree on the labels {unknown}, which are among the rows here")
            self._codes = torch.tensor([places[str(label)] for label in prepared.meta.labels])
        self._target_shift = torch.tensor(agreement.target_shift, dtype=dtype)
        self._target_scale = torch.tensor(agreement.target_scale, dtype=dtype)

    def inputs(self, rows: Tensor) -> Tensor:
        """The scaled features of `rows` (any shape), shape (*rows, features)."""
        x = self._x.index_select(0, rows.reshape(-1)).to(self._dtype)
        if self._shifted:
            x.sub_(self._shift)
        if self._scaled:
            x.div_(self._scale)
        return x.view(*rows.shape, -1)

    def targets(self, rows: Tensor) -> Tensor:
        """Label codes of `rows`, int64 of shape rows, or scaled targets, shape (*rows, targets)."""
        y = self._y.index_select(0, rows.reshape(-1))
        if self._codes is not None:
            return self._codes[y].view(rows.shape)
        return ((y.to(self._dtype) - self._target_shift) / self._target_scale).view(*rows.shape, -1)
