"""Adam on the server (Reddi et al. 2021, algorithm 2), by Flower's FedAdam."""

from __future__ import annotations

from typing import ClassVar

from flwr.serverapp import strategy as flwr

from common.scenario import strategies as spec
from server.strategies.flower import ALONE, FlowerStrategy


class FedAdam(FlowerStrategy[flwr.FedAdam]):
    """m ← β₁ m + (1−β₁) Δ; v ← β₂ v + (1−β₂) Δ²; θ ← θ + η m / (√v + τ), with Δ the clients' mean change.

    Before round 1 v = 0, where the paper has v₋₁ ≥ τ².
    In round t Flower's η is multiplied by √(1 − β₂ᵗ⁺¹) / (1 − β₁ᵗ⁺¹), which the paper does not do.
    """

    carried: ClassVar[tuple[str, ...]] = ("m_t", "v_t")
    noted: ClassVar[tuple[str, ...]] = ("current_arrays",)

    def make(self, options: spec.FedAdam) -> flwr.FedAdam:
        """Flower's FedAdam."""
        return flwr.FedAdam(eta=options.eta, beta_1=options.beta_1, beta_2=options.beta_2, tau=options.tau, **ALONE)
