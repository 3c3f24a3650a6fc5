"""The optimizers a client can train with: one class for each `training.optimizer.name`."""

from __future__ import annotations

from typing import Annotated, Literal

from common.scenario.base import Named, Part, key


class Sgd(Part):
    """Stochastic gradient descent, with momentum where wanted (torch.optim.SGD)."""

    name: Literal["sgd"] = key("Stochastic gradient descent.", "sgd")
    lr: float = key("Learning rate.", 0.1, unit="per step", gt=0)
    momentum: float = key("Share of the last step's velocity that is kept.", 0.0, unit="fraction", ge=0, lt=1)


Optimizer = Annotated[Sgd, Named("name")]

OPTIMIZERS: tuple[type[Part], ...] = (Sgd,)
