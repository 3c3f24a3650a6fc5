"""What is learned: a class, numbers, or the distribution of the examples themselves."""

from __future__ import annotations

from typing import Literal

Task = Literal["classification", "regression", "generation"]

Label = str | int
"""The name of a class."""
