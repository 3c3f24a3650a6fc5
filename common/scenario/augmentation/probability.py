"""How often a step of augmentation acts."""

from __future__ import annotations

from typing import Any

from common.scenario.base import key


def probability() -> Any:
    """The key that every kind has."""
    return key("How likely a row is changed, each time it is trained on.", 0.5, unit="fraction", ge=0, le=1)
