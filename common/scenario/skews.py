"""How clients' examples differ beyond their partition: one class for each `data.skew[].kind`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from common.scenario.base import Part
from common.scenario.registry import Family

SKEWS: Family[SkewPart] = Family("skews", "kind", declared_in="common.data.skews.*")


class SkewPart(Part):
    """How a client's examples differ."""

    family: ClassVar[Family[SkewPart]] = SKEWS

    kind: str = ""


Skew = Annotated[SkewPart, SKEWS]
