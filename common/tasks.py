"""What is learned: a class or numbers."""

from __future__ import annotations

from typing import Literal

Task = Literal["classification", "regression"]

Label = str | int
"""The name of a class."""
