"""What the final model gets wrong on the server's examples: confusions or residuals, and the worst mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from common.data import Prepared
from common.data.examples import open_examples
from common.models import DTYPES
from common.models.predictor import Predictor
from common.tasks import Label
from common.wording import short

_MISTAKES = 24
_CONFUSIONS = 10_000
_PAIRS = 2000
_NUMBERS = 1 << 14
"""Examples of more numbers are too large to be shown."""
_LETTERS = 500

Found = dict[str, Any]


@torch.inference_mode()
def final(model: Predictor, prepared: Prepared, batch_size: int) -> Found | None:
    """What final.json holds; None where the server has no examples of its own.

    `split` names what was evaluated: the test examples or, without these, the validation examples; `rows` is their
    number. A classification has `labels`, `label_rows` and `label_right` (how many examples each label has, and how
    many of them were recognized), and `confusions`, [label, prediction, examples] by codes into `labels`, most
    frequent first, all of them where there are at most 100 labels. A regression has `targets` and `predictions` of up
    to 2,000 evenly spaced examples in the target's own unit, (examples, targets), and `residuals`, the percentiles of
    prediction − target over all examples, (7, targets). `mistakes` are the 24 worst examples, worst first, each as
    in the data: `values` or `text`; `row_shape` and `columns` describe the values. In a classification they have the
    score of the predicted class and that of the true one: `probability` and `label_probability` where the output is
    a softmax or a sigmoid, else `score` and `label_score`.
    """
    split = "test" if len(prepared.test) else "validation"
    positions = np.array(getattr(prepared, split))
    if not len(positions):
        return None
    outputs, targets = _answers(model, prepared, positions, batch_size)
    told = {"split": split, "rows": len(positions), "row_shape": list(prepared.meta.row_shape)}
    told["columns"] = [column.name for column in prepared.meta.columns]
    if model.data_spec.task == "classification":
        codes, score = targets[:, 0].astype(np.int64), model.network.output.score_name
        found, worst, answers = _classified(outputs, codes, model.data_spec.labels, score)
    else:
        found, worst, answers = _regressed(outputs, targets, model.data_spec.target_scale)
    mistakes = [
        {**answer, **_row(prepared, int(positions[place]))} for place, answer in zip(worst, answers, strict=True)
    ]
    return told | found | {"mistakes": mistakes}


def _answers(
    model: Predictor, prepared: Prepared, positions: NDArray[np.int64], batch_size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Outputs and targets of examples: scores and codes, or numbers in the target's own unit."""
    data_spec, classifies = model.data_spec, model.data_spec.task == "classification"
    examples = open_examples(prepared, data_spec, DTYPES[model.spec.dtype])
    outputs, targets = [], []
    for start in range(0, len(positions), batch_size):
        chosen = torch.from_numpy(positions[start : start + batch_size])
        raw = model.network(examples.inputs(chosen)).double()
        told = model.network.output.scores(raw) if classifies else raw * model.output_scale + model.output_shift
        outputs.append(told)
        targets.append(
            examples.targets(chosen).double() if classifies else torch.from_numpy(prepared.y[chosen.numpy()])
        )
    return torch.cat(outputs).numpy(), torch.cat(targets).numpy().reshape(len(positions), -1)


def _classified(
    scores: NDArray[np.float64], codes: NDArray[np.int64], labels: tuple[Label, ...], score: str
) -> tuple[Found, list[int], list[Found]]:
    guesses, classes = scores.argmax(axis=1), len(labels)
    right = guesses == codes
    kinds, counts = np.unique(codes[~right] * classes + guesses[~right], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_CONFUSIONS]
    confusions = np.stack([kinds[order] // classes, kinds[order] % classes, counts[order]], axis=1)
    true = scores[np.arange(len(codes)), codes]
    wrong = np.flatnonzero(~right)
    worst = wrong[np.argsort(true[wrong], kind="stable")][:_MISTAKES].tolist()
    answers = [
        {
            "label": labels[codes[row]],
            "prediction": labels[guesses[row]],
            score: float(f"{scores[row, guesses[row]]:.4g}"),
            f"label_{score}": float(f"{true[row]:.3g}"),
        }
        for row in worst
    ]
    found = {
        "labels": list(labels),
        "label_rows": np.bincount(codes, minlength=classes).tolist(),
        "label_right": np.bincount(codes[right], minlength=classes).tolist(),
        "confusions": confusions.tolist(),
    }
    return found, worst, answers


def _regressed(
    predictions: NDArray[np.float64], targets: NDArray[np.float64], scale: NDArray[np.float64]
) -> tuple[Found, list[int], list[Found]]:
    residuals = predictions - targets
    spaced = np.unique(np.linspace(0, len(targets) - 1, _PAIRS).astype(np.int64))
    size = np.abs(residuals / scale).sum(axis=1)
    worst = np.argsort(-size, kind="stable")[:_MISTAKES].tolist()
    answers = [{"target": targets[row].tolist(), "prediction": short(predictions[row])} for row in worst]
    found = {
        "targets": [short(row) for row in targets[spaced]],
        "predictions": [short(row) for row in predictions[spaced]],
        "residuals": [short(row) for row in np.percentile(residuals, [1, 5, 25, 50, 75, 95, 99], axis=0)],
    }
    return found, worst, answers


def _row(prepared: Prepared, row: int) -> Found:
    """An example as it is in the data, where it is not too large to be shown."""
    if prepared.meta.text is not None:
        return {"text": prepared.texts[row][:_LETTERS]}
    values = prepared.x[row]
    if values.size > _NUMBERS:
        return {}
    columns = prepared.meta.columns
    if not columns:
        return {"values": values.tolist() if values.dtype.kind in "iub" else short(values)}
    cells: list[Any] = []
    for column, value in zip(columns, values.tolist(), strict=True):
        known = column.categories is not None and value == value
        cells.append(column.categories[int(value)] if column.categories is not None and known else value)
    return {"values": [None if cell != cell else cell for cell in cells]}
