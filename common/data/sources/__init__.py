"""The sources of data: for each `data.source` a module that reads it."""

from __future__ import annotations

from typing import Any, Protocol

from common.data.table import Table


class SourceModule(Protocol):
    """What a source's file offers."""

    seeded: bool
    """Whether the examples follow from the scenario's seed."""

    def fingerprint(self, spec: Any) -> str:
        """A text that changes when the content changes; raises InputError where there is none."""
        ...

    def read(self, spec: Any, seed: int) -> Table:
        """The whole table; raises InputError that names the file and what is wrong with it."""
        ...
