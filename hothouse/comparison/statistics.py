"""The numbers of a comparison: means with intervals over seeds, and paired tests.

SciPy is imported where it is needed, which most commands never do.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
"""Of an interval: that it holds the true mean, were runs over many seeds normally spread."""

_FEWEST_FOR_RANKS = 6
"""With fewer pairs Wilcoxon's exact test cannot give a p-value below 0.05."""


@dataclass(frozen=True)
class Estimate:
    """A mean over runs."""

    mean: float
    half_width: float
    """The interval is mean ± half_width; NaN for a single run."""
    runs: int

    def text(self, plus_minus: str = " ± ") -> str:
        """With as many digits as the interval is worth: two of its own."""
        if math.isnan(self.half_width):
            return f"{self.mean:.4g}"
        digits = 4 if not self.half_width else max(0, min(8, 1 - math.floor(math.log10(self.half_width))))
        return f"{self.mean:.{digits}f}{plus_minus}{self.half_width:.{digits}f}"


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of one value or more, with Student's interval: mean ± t(0.975; n−1) · s / √n."""
    count, mean = len(values), float(np.mean(values))
    if count < 2:
        return Estimate(mean, math.nan, count)
    from scipy import stats

    spread = float(np.std(values, ddof=1)) / math.sqrt(count)
    return Estimate(mean, float(stats.t.ppf(0.5 + LEVEL / 2, count - 1)) * spread, count)


@dataclass(frozen=True)
class Paired:
    """Two groups, compared seed by seed."""

    first: str
    second: str
    difference: Estimate
    """first − second, over the seeds that both have."""
    t_test: float
    """The p-value of Student's paired test, two-sided."""
    holm: float
    """The same, corrected for the number of pairs (Holm 1979)."""
    wilcoxon: float
    """The p-value of Wilcoxon's signed-rank test; NaN for fewer than 6 seeds."""


def paired(pairs: Sequence[tuple[str, str, Sequence[float], Sequence[float]]]) -> list[Paired]:
    """Tests of pairs of groups: their names, and their values at the same seeds in the same order (2 or more)."""
    tests = [_p_values(np.asarray(one) - np.asarray(other)) for _, _, one, other in pairs]
    corrected = holm([t_test for t_test, _ in tests])
    return [
        Paired(first, second, estimate((np.asarray(one) - np.asarray(other)).tolist()), t_test, adjusted, wilcoxon)
        for (first, second, one, other), (t_test, wilcoxon), adjusted in zip(pairs, tests, corrected, strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: p₍ᵢ₎ becomes max over j ≤ i of (m − j + 1) · p₍ⱼ₎, at most 1."""
    order = np.argsort(p_values, kind="stable")
    corrected, most = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order.tolist()):
        most = max(most, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = most
    return corrected


def _p_values(differences: np.ndarray) -> tuple[float, float]:
    """Of the hypothesis that differences are around zero: Student's and Wilcoxon's."""
    if not differences.any():
        return 1.0, 1.0 if len(differences) >= _FEWEST_FOR_RANKS else math.nan
    from scipy import stats

    with warnings.catch_warnings():
        # Differences that are all alike leave nothing to divide by; the p-value is 0 as it should be.
        warnings.simplefilter("ignore", RuntimeWarning)
        t_test = float(stats.ttest_1samp(differences, 0.0).pvalue)
        ranks = float(stats.wilcoxon(differences).pvalue) if len(differences) >= _FEWEST_FOR_RANKS else math.nan
    return t_test, ranks
