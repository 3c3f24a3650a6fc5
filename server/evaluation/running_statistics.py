"""The running statistics of the global network: what its batch normalizations are used with."""

from __future__ import annotations

from typing import cast

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord

from common import messages
from common.arrays import NamedArrays, numbers, unpack
from common.data.moments import Moments, combine_moments
from common.errors import RunError
from common.extend.results import Block, BlockResult
from common.messages import BUFFERS
from common.models import MLP, Network
from server.exchange.run_context import RunContext


class RunningStatistics:
    """Finds the statistics that go with new global weights."""

    def __init__(self, context: RunContext, network: Network) -> None:
        self._run, self._norms = context, len(network.norms) if isinstance(network, MLP) else 0
        normalization = getattr(context.settings.model, "normalization", None)
        self._recomputed = getattr(normalization, "statistics", "") == "recomputed"

    def __call__(self, parameters: NamedArrays, before: NamedArrays, results: list[BlockResult]) -> NamedArrays:
        """The statistics after a round, from those before it and the round's results, in block order."""
        if not before:
            return {}
        if self._recomputed:
            return self._gathered(parameters, before, [result.block for result in results])
        weight = sum(result.weight for result in results)
        return before | {
            name: np.sum([result.sums[BUFFERS][name] for result in results], axis=0) / before[name].dtype.type(weight)
            for name in results[0].sums.get(BUFFERS, {})
        }

    def _gathered(self, parameters: NamedArrays, before: NamedArrays, blocks: list[Block]) -> NamedArrays:
        """The mean and variance of what each normalization gets, over the blocks' training examples.

        One query for each layer: what a layer gets depends on the statistics of those before it.
        """
        found = dict(before)
        for layer in range(self._norms):
            models = {name: array[None] for name, array in (parameters | found).items()}
            shared = {
                **messages.evaluate_records(self._run.settings_text, self._run.data_spec, models),
                "layer": ConfigRecord({"layer": layer}),
            }
            moments = self._ask(shared, blocks)
            like = before[f"norms.{layer}.running_mean"].dtype
            found[f"norms.{layer}.running_mean"] = moments.mean().astype(like)
            # As PyTorch's running variance: n − 1 in place of n.
            variance = moments.spread / np.maximum(moments.count - 1, 1)
            found[f"norms.{layer}.running_var"] = variance.astype(like)
        return found

    def _ask(self, shared: messages.MessageRecords, blocks: list[Block]) -> Moments:
        found: dict[int, Moments] = {}
        clients, traffic = sum(len(block.clients) for block in blocks), self._run.exchange.traffic
        traffic.down += clients * numbers(unpack(cast(ArrayRecord, shared["parameters"])))
        for arrival in self._run.exchange.ask(messages.STATISTICS, shared, blocks):
            if arrival.content is None:
                raise RunError(f"the running statistics could not be recomputed: {arrival.error}")
            indices = [block.index for block in arrival.blocks]
            found.update(zip(indices, messages.read_moments(arrival.content), strict=True))
        traffic.up += clients * numbers(vars(next(iter(found.values()))))
        return combine_moments(found[index] for index in sorted(found))
