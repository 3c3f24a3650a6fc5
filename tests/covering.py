"""Covering arrays: few combinations of settings in which each pair of values occurs that can occur."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, product


def pairwise(factors: Mapping[str, Sequence[str]], allowed: Callable[[dict[str, str]], bool]) -> list[dict[str, str]]:
    """Combinations, a value for each factor, that cover every pair of values of any allowed combination.

    Greedy over the allowed ones: each takes the first that covers most of what is left.
    """
    everything = [
        one for one in (dict(zip(factors, v, strict=True)) for v in product(*factors.values())) if allowed(one)
    ]
    pairs = [set(combinations(sorted(one.items()), 2)) for one in everything]
    left, chosen = set().union(*pairs), []
    while left:
        best = max(range(len(pairs)), key=lambda place: len(pairs[place] & left))
        chosen.append(everything[best])
        left -= pairs[best]
    return chosen
