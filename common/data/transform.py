"""From raw rows to what the network sees: gaps filled, columns scaled, categories spread out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from common.data.data_spec import DataSpec


class Transform(nn.Module):
    """The agreed transformation of raw rows, as a module without parameters.

    Rows of float64 and of whole numbers are filled and scaled in float64 and then rounded to `dtype`: the difference
    between two times or two places on a map may be less than what float32 can hold of them.

    Numeric columns come first, then for each categorical column a 0/1 feature per category, then an
    indicator for each column that has one.
    """

    shift: Tensor
    scale: Tensor
    fill: Tensor

    def __init__(self, data_spec: DataSpec, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        for name in ("shift", "scale", "fill"):
            self.register_buffer(name, torch.tensor(getattr(data_spec, name), dtype=torch.float64))
        self._shifted, self._scaled = bool(data_spec.shift.any()), bool((data_spec.scale != 1).any())
        self._filled = bool((data_spec.fill == data_spec.fill).any())
        self._categories = [
            (index, len(column.categories))
            for index, column in enumerate(data_spec.columns)
            if column.categories is not None
        ]
        spread_out = {index for index, _ in self._categories}
        self._numeric = [index for index in range(len(data_spec.shift)) if index not in spread_out]
        self._indicators = list(data_spec.indicators)

    def forward(self, raw: Tensor, fill: Tensor | None = None) -> Tensor:
        """Raw rows (…, raw features) → (…, features); categories are codes into the agreed ones, NaN a gap.

        `fill` takes the agreed fill's place where it is not NaN; it is broadcast against `raw`.
        """
        x = raw.to(self.working(raw.dtype))
        gaps = x.isnan() if self._filled or self._indicators else None
        if gaps is not None and self._filled:
            own = self.fill if fill is None else torch.where(fill.isnan(), self.fill, fill)
            x = torch.where(gaps, own.to(x.dtype), x)
        if not self._categories and not self._indicators:
            return self._scale(x).to(self.dtype)
        pieces = [self._scale(x)[..., self._numeric]]
        for index, categories in self._categories:
            # A code that is missing equals none of the categories.
            pieces.append(x[..., index, None] == torch.arange(categories))
        if self._indicators and gaps is not None:
            pieces.append(gaps[..., self._indicators])
        return torch.cat([piece.to(self.dtype) for piece in pieces], dim=-1)

    def working(self, raw: torch.dtype) -> torch.dtype:
        """The type in which rows of a type are filled and scaled."""
        exact = raw.is_floating_point or raw == torch.uint8 or raw == torch.bool
        return torch.float64 if raw == torch.float64 or not exact else self.dtype

    @property
    def by_number(self) -> bool:
        """Whether each number is filled and scaled by itself: nothing is spread out, nothing indicated."""
        return not self._categories and not self._indicators

    def parts(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Fill, shift and scale in float64, (features,) each; None for those that change nothing."""
        wanted = zip(("fill", "shift", "scale"), (self._filled, self._shifted, self._scaled), strict=True)
        fill, shift, scale = (getattr(self, name) if used else None for name, used in wanted)
        return fill, shift, scale

    def _scale(self, x: Tensor) -> Tensor:
        if self._shifted:
            x = x - self.shift.to(x.dtype)
        return x / self.scale.to(x.dtype) if self._scaled else x
