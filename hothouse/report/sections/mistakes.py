"""The examples that the final model is most wrong about, in the form that suits them."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from hothouse.report.page import Page
from hothouse.report.parts import format_value, paragraph, part, table
from hothouse.results.images import data_uri, is_image
from hothouse.results.records import RunRecords

_MOST_COLUMNS = 12


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """Pictures, texts or rows, the worst first."""
    final = records.final
    mistakes = final.get("mistakes") or []
    if not mistakes:
        return [paragraph(f"There is none: every {final['split']} example is recognized.")] if final else []
    told = f"The {len(mistakes)} {final['split']} examples that the model is most wrong about, the worst first."
    shape, kept = final["row_shape"], [mistake for mistake in mistakes if "values" in mistake]
    if "text" in mistakes[0]:
        rows = [(*_answer(mistake), mistake["text"]) for mistake in mistakes]
        return [paragraph(told), table([*_head(mistakes[0]), "text"], rows)]
    if kept and is_image(shape):
        return [paragraph(told), _pictures(kept, shape)]
    columns = final["columns"] or [f"x{place}" for place in range(len(kept[0]["values"]) if kept else 0)]
    rows = [(*_answer(mistake), *mistake.get("values", [])[:_MOST_COLUMNS]) for mistake in mistakes]
    if len(columns) > _MOST_COLUMNS:
        told += f" Of {len(columns)} columns the first {_MOST_COLUMNS} are shown."
    return [paragraph(told), table([*_head(mistakes[0]), *columns[:_MOST_COLUMNS]], rows)]


def _head(mistake: dict[str, Any]) -> list[str]:
    if "label" not in mistake:
        return ["target", "prediction"]
    return ["label", "prediction", "probability" if "probability" in mistake else "score"]


def _answer(mistake: dict[str, Any]) -> list[Any]:
    if "label" in mistake:
        known = "probability" in mistake
        score = f"{mistake['probability']:.1%}" if known else f"{mistake['score']:.4g}"
        return [str(mistake["label"]), str(mistake["prediction"]), score]
    values = [mistake[name] for name in ("target", "prediction")]
    return [value[0] if len(value) == 1 else ", ".join(map(format_value, value)) for value in values]


def _pictures(mistakes: list[dict[str, Any]], shape: list[int]) -> Markup:
    values = [np.array(mistake["values"], dtype=float) for mistake in mistakes]
    every = np.concatenate(values)
    limits = (min(0.0, float(np.nanmin(every))), float(np.nanmax(every)))
    found = []
    for mistake, picture in zip(mistakes, values, strict=True):
        label, guess, *more = map(format_value, _answer(mistake))
        sure = f" ({'score ' * ('score' in mistake)}{more[0]})" if more else ""
        source, words = data_uri(picture, shape, limits), f"labelled {label}, taken for {guess}"
        found.append(part("captioned", source, words, part("taken_for", label, guess, sure)))
    return part("pictures", found)
