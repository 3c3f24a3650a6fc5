"""`federation:` what the server does: how long, with whom, and how replies become new weights."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.scenario.base import Part, expecting, key
from common.scenario.limits import Limits
from common.scenario.privacy import Privacy
from common.scenario.selection import Selection
from common.scenario.strategy import Strategy

Share = Annotated[
    Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, le=1)],
    expecting("a whole number of clients (at least 1) or a decimal fraction above 0 up to 1.0"),
]


class Federation(Part):
    """The server's side of the federation."""

    strategy: Strategy = key(
        "How the clients' replies become the next global weights.", "fedavg", validate_default=True
    )
    privacy: Privacy | None = key("Client-level differential privacy; none if left out.", None)
    rounds: int = key("How many rounds.", 10, unit="rounds", ge=1, le=10_000_000)
    clients_per_round: Share = key(
        "The size of a round's cohort: an integer is a number of clients, a decimal a fraction of all (1.0 = all).",
        1.0,
        unit="clients or fraction",
    )
    selection: Selection = key("Who takes part in a round.", "uniform", validate_default=True)
    blocks: int = key(
        "Into how many blocks a cohort is cut (fewer when it is smaller): the unit of work and of summation.",
        16,
        unit="blocks",
        ge=1,
    )
    deadline: float | None = key(
        "A round waits no longer for replies; clients that are late are left out of it. No limit if left out. "
        "The local engine, which trains one block after the other in one process, always waits.",
        None,
        unit="seconds",
        gt=0,
    )
    min_clients: int = key(
        "With fewer usable replies in a round the run ends, its last weights kept.", 1, unit="clients", ge=1
    )
    limits: Limits = key("What a reply may claim at most.", Limits())
