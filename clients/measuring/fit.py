"""How well models fit what a client trains on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.data.examples import ExampleReader
from common.data.prepared import Prepared
from common.evaluation import Evaluator
from common.metrics import mean_objective
from common.models import Weights


def training_losses(
    evaluator: Evaluator, prepared: Prepared, examples: ExampleReader, models: Weights, client: int
) -> NDArray[np.float64]:
    """Each model's mean training objective on the client's training examples: models (models, *shape) → (models,)."""
    shard = prepared.training_examples(client)
    fills = examples.fills(np.array([client]))
    sums = evaluator.sums(models, examples, shard, np.array([len(shard)]), fills, np.array([client]))
    return np.array([float(mean_objective(one)[0]) for one in sums])
