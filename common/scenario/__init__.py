"""The scenario: a YAML file as strict, frozen values, and every mistake in it told at once."""

from common.scenario.load import dump_scenario, identity_of, keep_scenario, load_scenario, located, single_run
from common.scenario.scenario import Scenario, cohort_size, expected_cohort

__all__ = [
    "Scenario",
    "cohort_size",
    "dump_scenario",
    "expected_cohort",
    "identity_of",
    "keep_scenario",
    "load_scenario",
    "located",
    "single_run",
]
