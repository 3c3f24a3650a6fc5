"""The metrics of regressions, in the target's own unit and averaged over targets, as scikit-learn defines them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from common.metric_terms import Examples, Numbers, Sums, Term
from common.scenario.metrics import MetricPart
from common.tasks import Task


class MeanAbsoluteError(MetricPart, name="mae", tasks=("regression",)):
    """Σ│error│ / n (sklearn.metrics.mean_absolute_error)."""

    def terms(self, examples: Examples) -> Mapping[str, Term]:
        """│error│."""
        return {"absolute": np.abs(examples.error)}

    def finish(self, sums: Sums) -> Numbers:
        """Its mean."""
        return np.asarray((sums["absolute"] / sums["examples"][:, None]).mean(axis=1))


class RootMeanSquaredError(MetricPart, name="rmse", tasks=("regression",)):
    """√(Σ error² / n) (sklearn.metrics.root_mean_squared_error)."""

    primary: ClassVar[Task | None] = "regression"

    def terms(self, examples: Examples) -> Mapping[str, Term]:
        """error²."""
        return {"squared": examples.error**2}

    def finish(self, sums: Sums) -> Numbers:
        """The root of its mean."""
        return np.asarray(np.sqrt(sums["squared"] / sums["examples"][:, None]).mean(axis=1))


class R2(MetricPart, name="r2", tasks=("regression",), more_is_better=True):
    """1 − Σ error² / Σ (y − mean)² (sklearn.metrics.r2_score); NaN where all targets are the same."""

    def terms(self, examples: Examples) -> Mapping[str, Term]:
        """error², y and y²."""
        return {"squared": examples.error**2, "target": examples.target, "target_squared": examples.target**2}

    def finish(self, sums: Sums) -> Numbers:
        """From the sums, Σ (y − mean)² = Σ y² − (Σ y)² / n."""
        spread = sums["target_squared"] - sums["target"] ** 2 / sums["examples"][:, None]
        return np.asarray(np.where(spread > 0, 1 - sums["squared"] / spread, np.nan).mean(axis=1))
