"""`federation.privacy`: what the global weights may tell of any one client."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from common.scenario.base import Part, key, refuse


class AdaptiveClipping(Part):
    """The clipping norm follows a quantile of the norms of clients' changes (Andrew et al. 2021, algorithm 1)."""

    quantile: float = key(
        "γ: the share of clients whose change is to remain unclipped.", 0.5, unit="fraction", ge=0, le=1
    )
    lr: float = key("η_C: how fast the norm follows.", 0.2, unit="none", gt=0)
    count_noise: float | None = key(
        "σ_b: the standard deviation of the noise in the number of unclipped clients; a twentieth of the cohort if "
        "left out, as the paper recommends, and none where noise_multiplier is 0.",
        None,
        unit="clients",
        ge=0,
    )

    def deviation(self, noise_multiplier: float, cohort: float) -> float:
        """σ_b for a cohort of this many clients."""
        if self.count_noise is not None:
            return self.count_noise
        return cohort / 20 if noise_multiplier else 0.0


class Privacy(Part):
    """Client-level differential privacy: changes are clipped where clients train, and Gaussian noise is added.

    θ ← θ₀ + (Σ clipped changes + noise)/m, for any strategy that sees clients only through the mean of their weights;
    all clients of a round count alike. m is the cohort's size, or with `selection: poisson` what is expected of it,
    never the number that answered. Covered is the sequence of global weights. Not covered are metrics, the run
    folder's files that tell who took part, and what clients tell before round 1 (how columns are scaled, which labels
    there are).
    """

    clipping_norm: float = key(
        "C: a client's change of the weights is scaled down to at most this L2 norm; with adaptive, in round 1.",
        1.0,
        unit="norm",
        gt=0,
    )
    noise_multiplier: float = key(
        "z: the noise's standard deviation is z·C, in the sum of the changes or, with local noise, in each of them.",
        1.0,
        unit="none",
        ge=0,
    )
    noise: Literal["central", "local"] = key(
        "Who adds noise: the server to the sum, or each client to its own change.", "central"
    )
    adaptive: AdaptiveClipping | None = key("Let the clipping norm follow the changes.", None)
    accounting: Literal["no-amplification", "without-replacement"] = key(
        "What is counted on besides noise where cohorts have a fixed size. no-amplification: nothing. "
        "without-replacement: that a cohort is drawn uniformly and kept secret, which lowers ε for a client replaced "
        "by another (Wang et al. 2019). selection: poisson needs neither, and gives a better ε.",
        "no-amplification",
    )
    delta: float = key(
        "δ: the probability for which ε does not hold; well below 1/clients.", 1e-5, unit="probability", gt=0, lt=1
    )

    @model_validator(mode="after")
    def _fits(self) -> Privacy:
        if self.noise == "local" and self.adaptive is not None:
            raise refuse("adaptive", "noise: central, since the server learns how many changes were clipped")
        if self.noise == "local" and self.accounting != "no-amplification":
            raise refuse("accounting", "no-amplification with local noise, since the server knows who takes part")
        return self

    def check_cohort(self, clients: float) -> None:
        """Refuse noise in the count of unclipped changes that alone is too weak for the privacy asked for."""
        if self.adaptive is None or not self.noise_multiplier:
            return
        deviation = self.adaptive.deviation(self.noise_multiplier, clients)
        if self.noise_multiplier >= 2 * deviation:
            raise refuse(
                "federation.privacy.adaptive.count_noise",
                f"more than half the noise_multiplier {self.noise_multiplier:g}; it is {deviation:g} for {clients:g} "
                "clients a round",
            )
