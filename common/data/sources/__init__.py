"""The sources of data: `SOURCES` maps each `data.source.kind` to the functions that read it.

A new source is one file here, one line in `SOURCES` and one class in `common.scenario.sources`.
"""

from __future__ import annotations

from typing import Any, Protocol

from common.data.sources import csv, hub, idx, images, npz, sklearn, synthetic, teacher, text
from common.data.table import Table


class SourceModule(Protocol):
    """What a source's file offers."""

    seeded: bool
    """Whether the rows follow from the scenario's seed."""

    def fingerprint(self, spec: Any) -> str:
        """A text that changes when the content changes; raises InputError where there is none."""
        ...

    def read(self, spec: Any, seed: int) -> Table:
        """The whole table; raises InputError that names the file and what is wrong with it."""
        ...


SOURCES: dict[str, SourceModule] = {
    "sklearn": sklearn,
    "idx": idx,
    "npz": npz,
    "csv": csv,
    "text": text,
    "images": images,
    "hub": hub,
    "synthetic": synthetic,
    "teacher": teacher,
}
