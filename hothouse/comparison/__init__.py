"""Comparing runs: those of the same scenario up to the seed together, with intervals and paired tests over seeds."""

from __future__ import annotations

from hothouse.comparison.compare import Comparison, compare

__all__ = ["Comparison", "compare"]
