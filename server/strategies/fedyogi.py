"""Yogi on the server (Reddi et al. 2021, algorithm 2), by Flower's FedYogi."""

from __future__ import annotations

from typing import ClassVar

from flwr.serverapp import strategy as flwr

from common.scenario import strategies as spec
from server.strategies.flower import ALONE, FlowerStrategy


class FedYogi(FlowerStrategy[flwr.FedYogi]):
    """As FedAdam, without its factor, and v ← v − (1−β₂) Δ² sign(v − Δ²), from v = 0."""

    carried: ClassVar[tuple[str, ...]] = ("m_t", "v_t")
    noted: ClassVar[tuple[str, ...]] = ("current_arrays",)

    def make(self, options: spec.FedYogi) -> flwr.FedYogi:
        """Flower's FedYogi."""
        return flwr.FedYogi(eta=options.eta, beta_1=options.beta_1, beta_2=options.beta_2, tau=options.tau, **ALONE)
