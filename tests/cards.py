"""`training.device: cuda` where there is no card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from clients.training.training_context import training_context
from common import devices

COUNTS: Counter[str] = Counter()
"""How often something was moved to the card, how many bytes in all, and how often the processor waited for it."""


@contextmanager
def pretended(device: torch.device) -> Iterator[Counter[str]]:
    """While this lasts, `training.device: cuda` is this device; gives what is counted meanwhile."""
    COUNTS.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "open_device", lambda name: devices.CPU if name == "cpu" else device)
        patch.setattr(devices, "card", lambda: "a pretended card")
        patch.setattr(devices, "card_count", lambda: 1)
        training_context.cache_clear()
        try:
            yield COUNTS
        finally:
            training_context.cache_clear()
