"""Mixup (Zhang et al. 2018, equation 1): training on mixtures of a batch's examples."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clients.batches import Batch
from common import seeds
from common.data.prepared import Indices
from common.devices import to_device_of


class Mixup:
    """Mixes each client's batch with itself in another order; λ and the order are the client's own draws."""

    def __init__(self, alpha: float, seed: int, round_number: int, clients: Indices) -> None:
        self._alpha = alpha
        self.keys = seeds.streams(seed, "mixup", round_number, clients)
        """What each client draws from."""

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """λ of Beta(α, α) for each client, (active,), and each example's partner in its batch, (active, examples)."""
        keys = seeds.fork(self.keys[: batch.active], batch.step)
        order = seeds.shuffles(seeds.fork(keys, 0), batch.counts)
        # Every batch is as wide as the widest; padding stands behind a client's own examples and stays there.
        padding = np.arange(order.shape[1], batch.shares.shape[1])
        partners = np.concatenate([order, np.broadcast_to(padding, (len(order), len(padding)))], axis=1)
        own = torch.from_numpy(self._share(keys)).to(batch.shares.dtype), torch.from_numpy(partners)
        return to_device_of(own[0], batch.shares), to_device_of(own[1], batch.shares)

    def shares(self, steps: int) -> NDArray[np.float64]:
        """λ of every client in each of so many steps, (clients, steps)."""
        keys = seeds.forks(self.keys, steps)
        return self._share(keys.reshape(-1)).reshape(keys.shape)

    def _share(self, keys: seeds.Streams) -> NDArray[np.float64]:
        from scipy.special import betaincinv

        # The quantile function of a uniform draw is a draw of the distribution.
        share: NDArray[np.float64] = betaincinv(self._alpha, self._alpha, seeds.uniforms(keys, 1)[:, 0])
        return share
