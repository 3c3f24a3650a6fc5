"""What a generative model makes: samples while it is trained and, in the end, what it gives back of the examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.arrays import NamedArrays, tensors
from common.data import Prepared
from common.data.examples import ExampleReader, open_examples
from common.data.images import image_shape
from common.models import DTYPES, on_meta
from common.models.generator import Generator
from common.models.model_file import as_model
from common.models.predictor import Predictor
from common.models.token_generator import TokenGenerator
from common.scenario import Scenario
from common.wording import short
from server.evaluation.documents import documents_made, prompt_of, sample_texts
from server.evaluation.due import is_due
from server.exchange.run_context import RunContext

_SAMPLES = 30
"""How many are shown of a round."""
_SHOWN, _WALKS, _STEPS = 10, 4, 10
_COMPARED = 200
"""How many samples, and examples held out, are compared with all training examples."""
_NUMBERS = 1 << 14
"""Examples of more numbers are too large to be shown."""
_PIECE = 4096

Found = dict[str, Any]


def sampled_rounds(scenario: Scenario) -> list[int]:
    """Of the rounds that are evaluated the first, three in the middle and the last one; never round 0."""
    due = [number for number in range(1, scenario.federation.rounds + 1) if is_due(scenario, number)]
    return [due[place] for place in np.unique(np.linspace(0, len(due) - 1, 5).astype(int)).tolist()]


class Sampler:
    """Samples of the global model in the rounds that the report shows."""

    def __init__(self, context: RunContext) -> None:
        self._run, self._rounds = context, sampled_rounds(context.scenario)
        self._network = on_meta(context.scenario.model, context.data_spec)
        # Where clients keep a part to themselves the global model's was never trained.
        whole = not context.settings.strategy.personal(self._network.arrays())
        self._wanted = whole and context.data_spec.task == "generation" and self._model().can_generate

    def __call__(self, number: int, weights: NamedArrays) -> Found | None:
        """The samples of a round, of weights and buffers; None where there are none to show."""
        if not self._wanted or number not in self._rounds:
            return None
        self._network.assign(tensors(weights))
        model, seed = self._model(), self._run.scenario.seed
        if isinstance(model, TokenGenerator):
            return sample_texts(model, prompt_of(self._run.prepared, model.unit), seed)
        return _samples(model, seed)

    def _model(self) -> Generator | TokenGenerator:
        found = as_model(self._network, self._run.scenario.model, self._run.data_spec)
        assert isinstance(found, Generator | TokenGenerator)
        return found


@torch.inference_mode()
def made_by(model: Predictor, prepared: Prepared, seed: int) -> Found:
    """What generated.json holds of a generative model, as far as it can be asked for.

    `samples` are new examples, `labels` what they were asked for, where the model goes by labels. `split` names the
    held-out examples, if there are any: `originals` are some of them with their `reconstructions`, `walks` lead from
    the code of one to that of another in steps. `nearest` has the percentiles 5, 25, 50, 75 and 95 of how far
    `samples` and `held_out` examples are from the nearest of all `training_examples`: the root of the mean squared
    difference between the numbers that the network sees. `row_shape` and `columns` describe the values. Of documents
    see `server.evaluation.documents`.
    """
    if isinstance(model, TokenGenerator):
        return {} if model.untrained else documents_made(model, prepared, seed)
    assert isinstance(model, Generator)
    meta = prepared.meta
    found: Found = {"row_shape": list(meta.row_shape), "columns": [column.name for column in meta.columns]}
    if model.untrained:
        return found
    if model.can_generate:
        found |= _samples(model, seed)
    split = "test" if len(prepared.test) else "validation"
    positions = np.array(getattr(prepared, split))
    examples = open_examples(prepared, model.data_spec, DTYPES[model.spec.dtype])
    if len(positions) and model.can_encode:
        found |= {"split": split, **_reconstructed(model, prepared, examples, positions)}
    if model.can_generate and prepared.x.shape[1] <= _NUMBERS:
        found |= _nearest(model, prepared, examples, positions, seed)
    return found


def _samples(model: Generator, seed: int) -> Found:
    made, labels = model.generate_labelled(_SAMPLES, seed=seed)
    shape = {"row_shape": list(model.data_spec.row_shape)}
    return {"samples": shown(model, made), **shape, **({"sample_labels": labels} if labels else {})}


def _reconstructed(
    model: Generator, prepared: Prepared, examples: ExampleReader, positions: NDArray[np.int64]
) -> Found:
    spaced = positions[np.unique(np.linspace(0, len(positions) - 1, _SHOWN).astype(np.int64))]
    raw = _raw(model, prepared, spaced)
    labels = None
    if model.classes:
        labels = [model.data_spec.labels[code] for code in examples.targets(torch.from_numpy(spaced)).tolist()]
    again = model.decode(model.encode(raw, labels), labels)
    found = {"originals": shown(model, raw), "reconstructions": shown(model, again)}
    if image_shape(prepared.meta.row_shape) is not None:
        pairs = list(zip(range(0, len(raw) - 1, 2), range(1, len(raw), 2), strict=False))[:_WALKS]
        found["walks"] = [
            shown(model, model.between(raw[a : a + 1], raw[b : b + 1], _STEPS, labels[a] if labels else None))
            for a, b in pairs
        ]
    return found


def _raw(model: Generator, prepared: Prepared, positions: NDArray[np.int64]) -> Tensor:
    """Examples as the agreed transformation takes them, with the agreed codes of categories."""
    raw = torch.from_numpy(np.array(prepared.x[positions]))
    for place, (mine, agreed) in enumerate(zip(prepared.meta.columns, model.data_spec.columns, strict=True)):
        if mine.categories is not None and agreed.categories is not None and mine.categories != agreed.categories:
            codes = torch.tensor([agreed.categories.index(one) for one in mine.categories], dtype=raw.dtype)
            known = ~raw[:, place].isnan()
            raw[known, place] = codes[raw[known, place].long()]
    return raw


def _nearest(
    model: Generator, prepared: Prepared, examples: ExampleReader, positions: NDArray[np.int64], seed: int
) -> Found:
    """How far samples and held-out examples are from training examples, where these are here."""
    own = [prepared.training_examples(client) for client in range(len(prepared.clients))]
    training = np.sort(np.concatenate([np.empty(0, np.int64), *own]))
    if not len(training):
        return {}
    made = model.inputs(model.generate(_COMPARED, seed=seed + 1))
    told = {"training_examples": len(training), "samples": _percentiles(made, examples, training)}
    if len(positions):
        chosen = positions[np.unique(np.linspace(0, len(positions) - 1, _COMPARED).astype(np.int64))]
        told["held_out"] = _percentiles(examples.inputs(torch.from_numpy(chosen)), examples, training)
    return {"nearest": told}


def _percentiles(x: Tensor, examples: ExampleReader, training: NDArray[np.int64]) -> list[float]:
    best = x.new_full((len(x),), torch.inf)
    for start in range(0, len(training), _PIECE):
        others = examples.inputs(torch.from_numpy(training[start : start + _PIECE]))
        # A product of matrices finds the nearest; the difference itself says how near, to the last digit.
        nearest = (others.square().sum(dim=1) - 2 * x @ others.T).argmin(dim=1)
        best = torch.minimum(best, (x - others[nearest]).square().mean(dim=1).sqrt())
    return short(np.percentile(best.double().numpy(), [5, 25, 50, 75, 95]))


def _bytes(model: Generator) -> bool:
    return not model.data_spec.shift.any() and bool((model.data_spec.scale == 255).all())


def shown(model: Generator, raw: Tensor) -> list[list[Any]]:
    """Examples as generated.json has them: numbers, a category's name, None where a value is missing."""
    if raw.shape[1] > _NUMBERS:
        return []
    columns = model.data_spec.columns
    if not columns:
        values = raw.double().numpy()
        # Of images of bytes, bytes.
        return values.round().astype(int).tolist() if _bytes(model) else [short(row) for row in values]
    rows = []
    for row in raw.double().tolist():
        cells: list[Any] = []
        for column, value in zip(columns, row, strict=True):
            if value != value:
                cells.append(None)
            else:
                cells.append(value if column.categories is None else column.categories[int(value)])
        rows.append(cells)
    return rows
