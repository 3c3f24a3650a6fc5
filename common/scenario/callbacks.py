"""`callbacks:` what follows each round's metrics and can end the run; declared in `common/callbacks/`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from common.scenario.base import Part
from common.scenario.registry import Family

CALLBACKS: Family[CallbackPart] = Family("callbacks", declared_in="common.callbacks.*")


class CallbackPart(Part):
    """What happens after each round that is evaluated."""

    family: ClassVar[Family[CallbackPart]] = CALLBACKS

    name: str = ""

    def on_round_end(self, history: list[dict[str, Any]]) -> str | None:
        """Called after each evaluated round, from round 0; returns why the run ends here, or None to continue.

        `history` has the lines of metrics.jsonl without their times, round 0 first. A callback that decides by these
        alone needs no state: a resumed run ends where an uninterrupted one does.
        """
        raise NotImplementedError


Callback = Annotated[CallbackPart, CALLBACKS]
