"""What all messages of a run have in common on a host: the network, its examples, its loss, opened once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

from clients.augmentation import Pipeline
from common import devices
from common.data.data_spec import DataSpec
from common.data.examples import ExampleReader, open_examples
from common.data.prepared import Prepared
from common.losses import loss_for
from common.models import DTYPES, Layout, Network, is_within, on_meta, stateless
from common.objective import Objective
from common.settings import ClientSettings, read_settings


@dataclass(frozen=True)
class TrainingContext:
    """What training rests on, whatever the round and whoever the clients."""

    settings: ClientSettings
    network: Network
    """Its own weights are not used."""
    layout: Layout
    parameters: tuple[str, ...]
    """The names of the network's parameters."""
    trained: tuple[str, ...]
    """Those of them that are not frozen."""
    buffers: tuple[str, ...]
    """And of its buffers."""
    personal: tuple[str, ...]
    """The names of the arrays that clients keep to themselves."""
    kept: tuple[str, ...]
    """The names of those that they continue with in the next round: these, or all."""
    dtype: torch.dtype
    device: torch.device
    """Where stacks are trained."""
    examples: ExampleReader
    pipeline: Pipeline
    objective: Objective


@lru_cache(maxsize=8)
def training_context(prepared: Prepared, data_spec: DataSpec, settings: str) -> TrainingContext:
    """The basis of orders with these settings, in JSON. Raises RunError where the host's examples do not fit."""
    read = read_settings(settings)
    device, dtype = devices.open_device(read.training.device), DTYPES[read.model.dtype]
    # One that is moved to a card is nobody else's.
    network = (stateless if device == devices.CPU else on_meta)(read.model, data_spec, read.training.stacking)
    network.place(device)
    layout = Layout.of(network)
    parameters = tuple(name for name, _ in network.named_parameters())
    personal = tuple(read.strategy.personal(layout.shapes))
    return TrainingContext(
        settings=read,
        network=network,
        layout=layout,
        parameters=parameters,
        trained=tuple(name for name in parameters if not is_within(name, read.model.frozen)),
        buffers=tuple(name for name, _ in network.named_buffers()),
        personal=personal,
        kept=tuple(layout.shapes) if read.strategy.keeps_networks else personal,
        dtype=dtype,
        device=device,
        examples=open_examples(prepared, data_spec, dtype),
        pipeline=Pipeline(read.training.augmentation, prepared.meta, data_spec.spread, prepared),
        objective=Objective(network, loss_for(read.training.loss, network.output, data_spec, dtype, device)),
    )
