"""Where the examples come from: one class for each `data.source.kind`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from common.scenario.base import FilePath, Part, expecting
from common.scenario.registry import Family

SOURCES: Family[SourcePart] = Family("sources", "kind", declared_in="common.data.sources.*")


class SourcePart(Part):
    """Where examples come from."""

    family: ClassVar[Family[SourcePart]] = SOURCES

    kind: str = ""


TaskChoice = Literal["auto", "classification", "regression"]
Files = Annotated[
    FilePath | Annotated[tuple[FilePath, ...], Field(min_length=1, strict=False)],
    expecting("a path, or a list of paths"),
]


Source = Annotated[SourcePart, SOURCES]
