"""What is needed of PyTorch beyond what its documents promise."""

from __future__ import annotations

from typing import Any

from torch import nn


class UncountedBatchNorm(nn.BatchNorm1d):
    """Batch normalization without a counter of batches, which a fixed momentum does not use.

    PyTorch's `_load_from_state_dict` misses the counter, and adds one.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.num_batches_tracked = None

    def _load_from_state_dict(self, *arguments: Any) -> None:
        nn.Module._load_from_state_dict(self, *arguments)
