"""How many clients are trained at once, as one stack: decided by the scenario and its network, never by the machine."""

from __future__ import annotations

import torch

from common.models import DTYPES, Layout, Network
from common.scenario.training import Training

_NUMBERS = 1 << 20
"""How many parameters a stack may have in all: what stays in a core's cache with its gradients."""
_SHARED = 16
"""How many networks of up to `_NUMBERS` parameters share an operation in any case: starting one takes time too."""
_KEPT = 1 << 20
"""How many numbers passes one after the other may keep for gradients in all."""
_MOST_ON_A_CARD = 4096
_COPIES = 6
"""Of a client's parameters on a card: weights, gradients, what the round began with, and what steps need meanwhile."""


def stack_width(parameters: int) -> int:
    """How many clients a processor trains at once, from the model's size alone: small models 64, large ones 1."""
    return 1 if parameters > _NUMBERS else max(_SHARED, min(64, _NUMBERS // parameters))


def width_one_by_one(network: Network, training: Training) -> int:
    """How many clients' networks pass one after the other before all of them take their step together.

    Everything but the passes is one operation for all; what they keep for gradients must stay in a cache.
    """
    if training.batch_size == "full":
        return 1
    kept = max(1, training.batch_size * network.numbers_per_example)
    return max(1, min(64, _NUMBERS // Layout.of(network).size, _KEPT // kept))


def width_on_card(network: Network, training: Training, features: int, largest: int) -> int:
    """How many clients of a network `training.device_memory` holds, at least 1.

    `features` are the numbers of an example, `largest` the examples of the largest client, for full batches.
    """
    layout = Layout.of(network)
    shapes = {name: torch.empty(1, *shape, device="meta") for name, shape in layout.parameters.shapes.items()}
    carried = sum(tensor.numel() for tensor in training.optimizer.begin(shapes).values())
    batch = largest if training.batch_size == "full" else training.batch_size
    passes = batch * (features + 2 * network.numbers_per_example)
    client = (_COPIES * layout.size + carried + passes) * DTYPES[network.spec.dtype].itemsize
    return max(1, min(_MOST_ON_A_CARD, training.device_memory // client))
