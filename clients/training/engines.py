"""Who trains a message's clients: the compiled trainer, or PyTorch."""

from __future__ import annotations

from clients.compiled.library import library
from clients.compiled.stacks import CompiledStacks
from clients.training.stacks import Stacks
from common.data.prepared import Prepared
from common.errors import RunError
from common.messages import TrainOrder
from common.scenario.engines import NOT_BUILT, engine_for
from common.settings import read_settings


def stacks_for(prepared: Prepared, order: TrainOrder) -> Stacks:
    """The trainer that the message's scenario asks for. Raises RunError where it is not built here."""
    settings, found = read_settings(order.settings), library()
    if engine_for(settings.model, settings.training, settings.strategy, found is not None) == "torch":
        return Stacks(prepared, order)
    if found is None:
        raise RunError(NOT_BUILT)
    return CompiledStacks(prepared, order, found)
