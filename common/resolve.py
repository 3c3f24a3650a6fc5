"""A scenario together with what it takes from other files, which a checkpoint and a client then need no more."""

from __future__ import annotations

from common.data.synonyms import with_synonyms
from common.scenario import Scenario


def resolve_scenario(scenario: Scenario) -> Scenario:
    """The scenario with the shape of the model it starts from, with synonyms and with schedules' lengths.

    Raises InputError where it gives another shape, or where there is no such file.
    """
    scenario = _with_horizons(with_synonyms(scenario))
    if scenario.model.from_ is None:
        return scenario
    # PyTorch takes a second to import, and most scenarios start from no other model.
    from common.models.start import with_earlier_shape

    return with_earlier_shape(scenario, scenario.model.from_)


def _with_horizons(scenario: Scenario) -> Scenario:
    """Schedules over rounds are as long as the run was to be when it began: prolonged, it continues at their end."""
    schedule = tuple(
        spec.model_copy(update={"length": scenario.federation.rounds})
        if spec.by == "round" and getattr(spec, "length", 0) is None
        else spec
        for spec in scenario.training.schedule
    )
    return scenario.model_copy(update={"training": scenario.training.model_copy(update={"schedule": schedule})})
