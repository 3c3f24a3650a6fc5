"""How much each key decides by itself of what a sweep's runs are judged by, and how much is left to interaction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hothouse.sweeps.pruning import quiet_optuna
from hothouse.sweeps.result import Sweep
from hothouse.sweeps.search import STORE

_LEAST = 4
"""Finished runs without which nothing can be said."""
REST = "interaction"
"""What the main effects leave: what keys do together, and chance."""


def importance(sweep: Sweep, metric: str) -> dict[str, float]:
    """The share of the metric's variance that each key explains by itself, largest first, and in the end `REST`.

    Of a matrix by analysis of variance, of a search by fANOVA (Hutter et al. 2014, equation 8). Empty where nothing can
    be said.
    """
    found = _searched(sweep) if sweep.scenario.search else _crossed(sweep, metric)
    if not found:
        return {}
    ordered = dict(sorted(found.items(), key=lambda one: -one[1]))
    return {**ordered, REST: max(0.0, 1.0 - sum(found.values()))}


def _searched(sweep: Sweep) -> dict[str, float]:
    """Main effects of a forest's predictions over the space that was searched, by Optuna."""
    optuna = quiet_optuna()
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{sweep.folder.absolute() / STORE}")
    finished = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(finished) < _LEAST or len({trial.value for trial in finished}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator, normalize=False)
    return {key: float(share) for key, share in shares.items()}


def _crossed(sweep: Sweep, metric: str) -> dict[str, float]:
    table = sweep.table
    finished = table[(table.status == "complete") & table[metric].notna()]
    codes = {key: _codes([repr(value) for value in finished[key]]) for key in sweep.keys}
    varied = {key: found for key, found in codes.items() if found.any()}
    return main_effects(varied, finished[metric].to_numpy(dtype=np.float64)) if len(finished) >= _LEAST else {}


def main_effects(factors: dict[str, NDArray[np.int64]], values: NDArray[np.float64]) -> dict[str, float]:
    """The part of the sum of squares of `values` (runs,) that each factor's levels (runs,) add to the others'.

    Type II sums of squares of the additive model, over the total: in a full table SS(factor) / SS(total). Empty where
    values do not vary.
    """
    total = float(((values - values.mean()) ** 2).sum())
    if not total or not factors:
        return {}
    whole = _explained(list(factors.values()), values)
    return {
        key: max(0.0, whole - _explained([other for name, other in factors.items() if name != key], values)) / total
        for key in factors
    }


def _explained(factors: Sequence[NDArray[np.int64]], values: NDArray[np.float64]) -> float:
    """The sum of squares that an additive model of these factors explains."""
    indicators = [np.eye(factor.max() + 1)[factor] for factor in factors]
    design = np.concatenate([np.ones((len(values), 1)), *indicators], axis=1)
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return float(((fitted - values.mean()) ** 2).sum())


def _codes(told: list[str]) -> NDArray[np.int64]:
    return np.unique(told, return_inverse=True)[1].astype(np.int64)
