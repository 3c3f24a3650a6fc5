"""How much each key decides of what a sweep's runs are judged by (fANOVA, Hutter et al. 2014, by Optuna)."""

from __future__ import annotations

from typing import Any

from hothouse.sweeps.names import named_values
from hothouse.sweeps.pruning import quiet_optuna
from hothouse.sweeps.result import Sweep
from hothouse.sweeps.search import STORE

_LEAST = 4
"""Finished runs without which nothing can be said."""


def importance(sweep: Sweep, metric: str) -> dict[str, float]:
    """The share of the metric's variance that each key explains, largest first; empty where nothing can be said."""
    optuna = quiet_optuna()
    study = _searched(sweep, optuna) if sweep.scenario.search else _crossed(sweep, metric, optuna)
    finished = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(finished) < _LEAST or len({trial.value for trial in finished}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {key: float(share) for key, share in shares.items()}


def _searched(sweep: Sweep, optuna: Any) -> Any:
    return optuna.load_study(study_name=None, storage=f"sqlite:///{sweep.folder.absolute() / STORE}")


def _crossed(sweep: Sweep, metric: str, optuna: Any) -> Any:
    """A matrix as a study: every key a choice between its values."""
    table = sweep.table
    finished = table[(table.status == "complete") & table[metric].notna()]
    names: dict[str, list[str]] = {}
    for key in sweep.keys:
        told = [repr(value) for value in table[key]]
        values = dict(zip(told, table[key], strict=True))
        short = dict(zip(values, named_values(list(values.values())), strict=True))
        names[key] = [short[repr(value)] for value in finished[key]]
    varied = {key: tuple(dict.fromkeys(found)) for key, found in names.items() if len(set(found)) > 1}
    kinds = {key: optuna.distributions.CategoricalDistribution(choices) for key, choices in varied.items()}
    study = optuna.create_study()
    for place, value in enumerate(finished[metric]):
        params = {key: names[key][place] for key in kinds}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=kinds, value=float(value)))
    return study
