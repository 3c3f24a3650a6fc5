"""The clients' half of differential privacy: what a client's change may weigh, and noise of its own."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common import seeds
from common.data.prepared import Indices
from common.messages import PRIVACY, TrainOrder


class Clipping:
    """Clips the changes of a message's clients as the server asks, before anything is added up."""

    def __init__(self, order: TrainOrder, seed: int) -> None:
        terms = order.records[PRIVACY]
        self._norm, self._deviation = float(terms["clipping_norm"]), float(terms["local_noise"])
        self._seed, self._round = seed, order.round

    def __call__(self, clients: Indices, flat: Tensor, start: Tensor) -> NDArray[np.float64]:
        """Clip the clients' weights `flat`, (stack, numbers), in place to the norm around `start`, and blur them.

        Δ ← Δ·min(1, C/‖Δ‖), and with local noise Δ ← Δ + N(0, σ²), drawn for the round and client. Returns 1 for
        each client that was within the norm, else 0: (stack,).
        """
        change = flat - start
        norms = torch.linalg.vector_norm(change, dim=1, dtype=torch.float64)
        beyond = norms > self._norm
        scale = (self._norm / norms[beyond]).to(flat.dtype).unsqueeze(1)
        flat[beyond] = start.expand_as(flat)[beyond] + change[beyond] * scale
        if self._deviation:
            for row, client in zip(flat, clients.tolist(), strict=True):
                generator = seeds.torch_generator(self._seed, "privacy", self._round, client)
                noise = torch.randn(len(row), generator=generator, dtype=torch.float64)
                row.add_(noise.to(row.dtype), alpha=self._deviation)
        within: NDArray[np.float64] = (~beyond).double().numpy()
        return within
