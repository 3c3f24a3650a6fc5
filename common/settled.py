"""A scenario together with what it takes from other files, which a checkpoint and a client then need no more."""

from __future__ import annotations

from common.data.synonyms import with_synonyms
from common.scenario import Scenario


def settled(scenario: Scenario) -> Scenario:
    """The scenario with the shape of the model it starts from, and with synonyms.

    Raises InputError where it gives another shape, or where there is no such file.
    """
    scenario = with_synonyms(scenario)
    if scenario.model.from_ is None:
        return scenario
    # PyTorch takes a second to import, and most scenarios start from no other model.
    from common.models.start import with_earlier_shape

    return with_earlier_shape(scenario, scenario.model.from_)
