"""A stack's examples on the device where it is trained: moved there once, found there in every step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from common.data.examples import ExampleChange, ExampleReader, RawExamples
from common.data.prepared import Indices
from common.devices import to_device


class PlacedExamples:
    """An ExampleReader whose inputs and targets are on a device.

    Those of the clients' shards lie there; others, and inputs that augmentation changes, are moved when asked for.
    """

    def __init__(
        self, reader: ExampleReader, device: torch.device, shards: list[Indices], fills: Tensor | None
    ) -> None:
        """`shards` are each client's examples, `fills` what takes gaps' places in them, (clients, raw features)."""
        self.features = reader.features
        self._reader, self._device = reader, device
        together = np.concatenate(shards)
        order = np.argsort(together, kind="stable")
        self._positions = together[order]
        at = torch.from_numpy(self._positions)
        if fills is not None:
            owners = np.repeat(np.arange(len(shards)), [len(shard) for shard in shards])
            fills = fills[torch.from_numpy(owners[order])]
        self._inputs = to_device(reader.inputs(at, fills), device)
        self._targets = to_device(reader.targets(at), device)

    def inputs(self, positions: Tensor, fill: Tensor | None = None, change: ExampleChange | None = None) -> Tensor:
        """As in ExampleReader."""
        places = self._places(positions) if change is None else None
        if places is None:
            return to_device(self._reader.inputs(positions, fill, change), self._device)
        return self._inputs.index_select(0, places).view(*positions.shape, -1)

    def targets(self, positions: Tensor) -> Tensor:
        """As in ExampleReader."""
        places = self._places(positions)
        if places is None:
            return to_device(self._reader.targets(positions), self._device)
        return self._targets.index_select(0, places).view(*positions.shape, *self._targets.shape[1:])

    def terms(self, positions: Tensor) -> dict[str, Tensor]:
        """As in ExampleReader."""
        return self._reader.terms(positions)

    def fills(self, clients: Indices) -> Tensor | None:
        """As in ExampleReader."""
        return self._reader.fills(clients)

    def raw(self) -> RawExamples | None:
        """As in ExampleReader."""
        return self._reader.raw()

    def _places(self, positions: Tensor) -> Tensor | None:
        """Where examples lie on the device, (positions in order,); None where some of them do not."""
        wanted = positions.reshape(-1).numpy()
        places = np.searchsorted(self._positions, wanted).clip(max=len(self._positions) - 1)
        if not np.array_equal(self._positions[places], wanted):
            return None
        return to_device(torch.from_numpy(places), self._device)
