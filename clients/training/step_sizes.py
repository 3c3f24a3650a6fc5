"""How far an optimizer goes in a round when every gradient is 1."""

from __future__ import annotations

import torch
from torch import Tensor

from clients.regularization.weights import decay
from clients.training.schedules import LearningRates
from common.data.prepared import Indices
from common.devices import to_device
from common.scenario.training import Training

_NAME = "step sizes"


def summed_step_size(
    training: Training, rates: LearningRates, steps: Indices, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """What a client's change is divided by to get its mean gradient, for each client and its `steps`: (stack,).

    An optimizer that is linear in its gradients goes θ₀ − θ = Σₖ aₖ gₖ; this is ‖a‖₁ = Σₖ aₖ (Wang et al.
    2020, section 3.2). Plain SGD's is the sum of its steps' learning rates; with momentum later gradients
    count for less. So do earlier ones with decoupled weight decay, by which θₖ − θ₀ shrinks while the gradient gains
    λθ₀ (section 4.2 has the like for FedProx). It is measured: one weight for each client is moved by gradients of 1.
    """
    weight = torch.zeros(len(steps), 1, dtype=dtype, device=device)
    ones, found = torch.ones_like(weight), torch.zeros_like(weight)
    state = training.optimizer.begin({_NAME: weight})
    shrink = decay(training.regularization.weight_decay, [0])
    last = to_device(torch.from_numpy(steps), device).unsqueeze(1)
    for step in range(int(steps.max(initial=0))):
        rate = rates(step)
        shrink(len(steps), [weight], [weight], rate)
        training.optimizer.step(state, len(steps), {_NAME: weight}, [ones.clone()], rate)
        torch.where(last == step + 1, weight, found, out=found)
    return -found[:, 0]
