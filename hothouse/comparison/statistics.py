"""The numbers of a comparison: means with intervals over seeds, and paired tests.

SciPy is imported where it is needed, which most commands never do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
"""Of an interval: that it holds the true mean, were runs over many seeds normally spread."""

_FEWEST_FOR_RANKS = 6
"""With fewer pairs Wilcoxon's exact test cannot give a p-value below 0.05."""
_MOST_FOR_EXACT = 14
"""Pairs of which all 2ⁿ signs are gone through."""
_MOST_DIGITS = 6
"""Behind the point; numbers that need more have a power of ten."""
_RESOLUTION = 11
"""Digits of a metric that are more than rounding."""


@dataclass(frozen=True)
class Estimate:
    """A mean over runs."""

    mean: float
    half_width: float
    """The interval is mean ± half_width; NaN for a single run."""
    runs: int

    def text(self, plus_minus: str = " ± ") -> str:
        """With as many digits as the interval is worth: two of its own. Very small numbers have a power of ten."""
        if math.isnan(self.half_width):
            return f"{self.mean:.4g}"
        if not self.half_width:
            return f"{self.mean:.6g}{plus_minus}0"
        digits = 1 - math.floor(math.log10(self.half_width))
        if digits <= _MOST_DIGITS:
            digits = max(0, digits)
            return f"{self.mean:.{digits}f}{plus_minus}{self.half_width:.{digits}f}"
        power = math.floor(math.log10(max(abs(self.mean), self.half_width)))
        digits = max(0, digits + power)
        scaled = (f"{value / 10.0**power:.{digits}f}" for value in (self.mean, self.half_width))
        return f"({plus_minus.join(scaled)})e{power:03d}"


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of one value or more, with Student's interval: mean ± t(0.975; n−1) · s / √n."""
    count, mean = len(values), float(np.mean(values))
    if count < 2:
        return Estimate(mean, math.nan, count)
    from scipy import stats

    spread = float(np.std(values, ddof=1)) / math.sqrt(count)
    if spread <= 10.0**-_RESOLUTION * max(map(abs, values)):
        spread = 0.0
    return Estimate(mean, float(stats.t.ppf(0.5 + LEVEL / 2, count - 1)) * spread, count)


@dataclass(frozen=True)
class PairedTest:
    """Two groups, compared seed by seed."""

    first: str
    second: str
    difference: Estimate
    """first − second, over the seeds that both have."""
    t_test: float
    """The p-value of Student's paired test, two-sided; NaN where all differences are alike."""
    holm: float
    """The same, corrected for the number of pairs that have one (Holm 1979)."""
    wilcoxon: float
    """The p-value of Wilcoxon's signed-rank test; NaN for fewer than 6 seeds, and where nothing differs."""


def paired(pairs: Sequence[tuple[str, str, Sequence[float], Sequence[float]]]) -> list[PairedTest]:
    """Tests of pairs of groups: their names, and their values at the same seeds in the same order (2 or more)."""
    differences = [rounded_difference(np.asarray(one), np.asarray(other)) for _, _, one, other in pairs]
    tests = [_p_values(each) for each in differences]
    corrected = holm([t_test for t_test, _ in tests])
    return [
        PairedTest(first, second, estimate(each.tolist()), t_test, adjusted, wilcoxon)
        for (first, second, _, _), each, (t_test, wilcoxon), adjusted in zip(
            pairs, differences, tests, corrected, strict=True
        )
    ]


def rounded_difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """one − other, (pairs,), rounded to what floating point leaves of the difference of such values.

    Else differences that are alike, or nothing, would differ by their rounding.
    """
    largest = max(np.abs(one).max(initial=0), np.abs(other).max(initial=0))
    digits = _RESOLUTION - math.floor(math.log10(largest)) if largest else 0
    rounded: np.ndarray = np.asarray(np.round(one - other, digits))
    return rounded


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: p₍ᵢ₎ becomes max over j ≤ i of (m − j + 1) · p₍ⱼ₎, at most 1.

    NaN stays and does not count.
    """
    tests = int(np.isfinite(p_values).sum()) if len(p_values) else 0
    order = np.argsort(p_values, kind="stable")[:tests]
    corrected, most = [math.nan] * len(p_values), 0.0
    for rank, place in enumerate(order.tolist()):
        most = max(most, min(1.0, (tests - rank) * p_values[place]))
        corrected[place] = most
    return corrected


def _p_values(differences: np.ndarray) -> tuple[float, float]:
    """Of the hypothesis that differences are around zero: Student's and Wilcoxon's.

    Student's says nothing of differences that are all alike, which leave no spread to divide by, and neither does any
    where nothing differs. Wilcoxon's is exact up to 14 differences, those alike sharing their mean rank; beyond that
    the normal approximation that SciPy takes.
    """
    if not differences.any():
        return math.nan, math.nan
    from scipy import stats

    t_test = math.nan if len(np.unique(differences)) == 1 else float(stats.ttest_1samp(differences, 0.0).pvalue)
    if len(differences) < _FEWEST_FOR_RANKS:
        return t_test, math.nan
    exact = len(differences) <= _MOST_FOR_EXACT
    method = stats.PermutationMethod(n_resamples=2**_MOST_FOR_EXACT) if exact else "auto"
    return t_test, float(stats.wilcoxon(differences, method=method).pvalue)
