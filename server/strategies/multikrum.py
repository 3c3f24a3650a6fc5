"""Multi-Krum (Blanchard et al. 2017, section 4), by Flower's MultiKrum."""

from __future__ import annotations

from flwr.serverapp import strategy as flwr

from common.scenario import strategies as spec
from server.strategies.flower import ALONE, FlowerStrategy


class MultiKrum(FlowerStrategy[flwr.MultiKrum]):
    """θ ← the mean, by rows, of the m weights that Krum ranks first."""

    def make(self, options: spec.MultiKrum) -> flwr.MultiKrum:
        """Flower's MultiKrum."""
        return flwr.MultiKrum(
            num_malicious_nodes=options.malicious_clients, num_nodes_to_select=options.selected_clients, **ALONE
        )
