"""Adagrad on the server (Reddi et al. 2021, algorithm 2), by Flower's FedAdagrad."""

from __future__ import annotations

from typing import ClassVar

from flwr.serverapp import strategy as flwr

from common.scenario import strategies as spec
from server.strategies.flower import ALONE, FlowerStrategy


class FedAdagrad(FlowerStrategy[flwr.FedAdagrad]):
    """v ← v + Δ²; θ ← θ + η Δ / (√v + τ), with Δ the clients' mean change and v = 0 before round 1.

    The paper has v₋₁ ≥ τ², and momentum m in place of Δ in the step.
    """

    carried: ClassVar[tuple[str, ...]] = ("m_t", "v_t")
    noted: ClassVar[tuple[str, ...]] = ("current_arrays",)

    def make(self, options: spec.FedAdagrad) -> flwr.FedAdagrad:
        """Flower's FedAdagrad."""
        return flwr.FedAdagrad(eta=options.eta, tau=options.tau, **ALONE)
