"""How evenly a model serves its clients: numbers over the clients' own results, each client counting once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fairness(values: NDArray[np.float64], more_is_better: bool) -> dict[str, float]:
    """What is quoted of a metric over clients: values (clients,); clients without a number (NaN) do not count.

    - `mean`: Σ x / n
    - `worst_10`, `best_10`: the mean of the ⌈n/10⌉ worst and best values (Li et al. 2020, q-FFL, table 1)
    - `variance`: Σ (x − mean)² / n, of the clients there are, hence by n (same table)
    - `jain`: (Σ x)² / (n Σ x²), Jain's index (Jain et al. 1984): 1 where all are equal, 1/n where one has all

    Empty where no client has a number.
    """
    known = np.sort(values[~np.isnan(values)])
    count = len(known)
    if not count:
        return {}
    if more_is_better:
        known = known[::-1]
    few = -(-count // 10)
    squares = float((known**2).sum())
    return {
        "mean": float(known.mean()),
        "worst_10": float(known[-few:].mean()),
        "best_10": float(known[:few].mean()),
        "variance": float(known.var()),
        "jain": float(known.sum()) ** 2 / (count * squares) if squares else 1.0,
    }


DIRECTIONS: dict[str, bool | None] = {
    "mean": None,
    "worst_10": None,
    "best_10": None,
    "variance": False,
    "jain": True,
}
"""What `fairness` gives: whether more of it is better; None where that is as with the metric itself."""
