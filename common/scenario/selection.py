"""Who takes part in a round: one class for each `federation.selection.name`, declared in `common/selection/`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from common.scenario.base import Part
from common.scenario.registry import Family

SELECTIONS: Family[SelectionPart] = Family("selections", declared_in="common.selection.*")


class SelectionPart(Part):
    """What rules of selection have in common."""

    family: ClassVar[Family[SelectionPart]] = SELECTIONS
    needs_client_losses: ClassVar[bool] = False
    """Whether it uses clients' losses, which reveal something of their examples."""
    uniform: ClassVar[bool] = False
    """Whether all cohorts of a size are equally likely, whatever was before."""

    name: str = ""

    def sampling_rate(self) -> float | None:
        """The probability with which each client takes part, whatever the others do; None where cohorts have a size."""
        return None

    def check_cohort(self, size: int) -> None:
        """Raises PydanticCustomError where the options do not fit cohorts of a size."""


Selection = Annotated[SelectionPart, SELECTIONS]
