"""Who trains a message's clients: the compiled trainer, or PyTorch."""

from __future__ import annotations

from clients.compiled.library import library
from clients.compiled.trainer import CompiledTrainer
from clients.training.job import Trainer, TrainJob
from clients.training.torch_trainer import TorchTrainer
from common.errors import RunError
from common.scenario.trainers import NOT_BUILT, trainer_for


def make_trainer(job: TrainJob) -> Trainer:
    """The trainer that the message's scenario asks for. Raises RunError where it is not built here."""
    settings, found = job.settings, library()
    if trainer_for(settings.model, settings.training, settings.strategy, found is not None) == "torch":
        return TorchTrainer(job)
    if found is None:
        raise RunError(NOT_BUILT)
    return CompiledTrainer(job, found)
