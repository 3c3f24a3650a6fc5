"""How much privacy rounds have cost, by Flower's RDP accountant."""

from __future__ import annotations

from functools import lru_cache

from flwr.supercore.privacy_accounting import (
    GaussianPrivacyEvent,
    NeighboringRelation,
    PrivacyConfig,
    SamplingMethod,
)
from flwr.supercore.privacy_accounting.rdp_accountant import RdpAccountant

from common.scenario.privacy import Privacy


@lru_cache(maxsize=4)
def epsilon(privacy: Privacy, cohort: int, clients: int, releases: int) -> float:
    """ε after so many releases of a cohort's sum, for the δ of `privacy`.

    For adding or removing a client the noise multiplier is z. Replacing one changes the sum by up to 2C, twice as
    much, so there the multiplier is z/2.
    """
    sampled = privacy.accounting == "without-replacement"
    config = PrivacyConfig(
        target_delta=privacy.delta,
        population_size=clients,
        neighboring_relation=(NeighboringRelation.REPLACE_ONE if sampled else NeighboringRelation.ADD_OR_REMOVE_ONE),
        sampling_method=SamplingMethod.WITHOUT_REPLACEMENT if sampled else SamplingMethod.NO_AMPLIFICATION,
    )
    multiplier = privacy.noise_multiplier / 2 if sampled else privacy.noise_multiplier
    accountant = RdpAccountant(config)
    accountant.compose(GaussianPrivacyEvent(multiplier, cohort, clients), releases)
    return accountant.get_epsilon(privacy.delta)
