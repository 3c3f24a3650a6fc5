"""Examples labelled by a random linear teacher, as many as memory maps hold."""

from __future__ import annotations

import numpy as np
from pydantic import model_validator

from common import seeds
from common.data.cache import scratch
from common.data.table import Table
from common.scenario.base import key, refuse
from common.scenario.sources import SourcePart


class TeacherSource(SourcePart, name="teacher", runs="common.data.sources.teacher"):
    """Examples labelled by a random linear teacher: as many as you like, for trials of scale and speed."""

    rows: int = key("How many examples to train on.", 10_000, unit="examples", ge=1, le=10_000_000_000)
    features: int = key("How many features.", 32, unit="features", ge=1, le=1_000_000)
    classes: int = key("How many classes; 1 makes it a regression.", 10, unit="classes", ge=1, le=100_000)
    noise: float = key("Normal noise on the teacher's answers.", 0.0, unit="of their deviation", ge=0)
    test_rows: int = key("How many further examples to test on.", 0, unit="examples", ge=0, le=1_000_000_000)

    @model_validator(mode="after")
    def _bearable(self) -> TeacherSource:
        size = (self.rows + self.test_rows) * self.features * 4
        if size > 1 << 40:
            raise refuse("rows", f"a table of at most 1 TiB, not {size / (1 << 40):.0f} TiB")
        if self.features * self.classes > 1 << 28:
            raise refuse("classes", f"features times classes of at most {1 << 28}: the teacher itself takes memory")
        return self


seeded = True

_CHUNK = 1 << 22
"""Numbers drawn at once."""


def fingerprint(spec: TeacherSource) -> str:
    """Nothing: the examples follow from the settings and the seed."""
    return "teacher"


def read(spec: TeacherSource, seed: int) -> Table:
    """x standard normal, y = argmax of T x, or T x itself for one class; T standard normal, too."""
    total = spec.rows + spec.test_rows
    teacher = seeds.generator(seed, "teacher").standard_normal((spec.features, spec.classes), dtype=np.float32)
    x = scratch((total, spec.features), np.float32)
    answers = np.empty((total, 1), np.float64) if spec.classes == 1 else np.empty(total, np.int64)
    size = max(1, _CHUNK // spec.features)
    for number, start in enumerate(range(0, total, size)):
        draw = seeds.generator(seed, "teacher", number)
        rows = draw.standard_normal((min(size, total - start), spec.features), dtype=np.float32)
        told = rows @ teacher
        if spec.noise:
            told += spec.noise * np.sqrt(spec.features) * draw.standard_normal(told.shape, dtype=np.float32)
        x[start : start + len(rows)] = rows
        answers[start : start + len(rows)] = told if spec.classes == 1 else told.argmax(axis=1)
    task, labels = ("regression", []) if spec.classes == 1 else ("classification", list(range(spec.classes)))
    return Table(x, answers, task, list(labels), spec.test_rows, (spec.features,), mixed=True)  # type: ignore[arg-type]
