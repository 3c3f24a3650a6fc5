"""`tracking:` where a run's numbers go besides its own folder; each `kind` is declared in `common/trackers/`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from common.scenario.base import Part
from common.scenario.registry import Family

TRACKERS: Family[TrackerPart] = Family("trackers", "kind", declared_in="common.trackers.*")


class TrackerPart(Part):
    """Where a run's numbers go."""

    family: ClassVar[Family[TrackerPart]] = TRACKERS
    package: ClassVar[str | None] = None
    """The library it needs beyond Hothouse's own; `hothouse[KIND]` brings it."""

    kind: str = ""


Tracker = Annotated[TrackerPart, TRACKERS]
