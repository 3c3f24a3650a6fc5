"""Who takes part in a round: one class for each `federation.selection.name`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from common.scenario.base import FilePath, Part, key
from common.scenario.registry import Family

SELECTIONS: Family[SelectionPart] = Family("selections")


class SelectionPart(Part):
    """What rules of selection have in common."""

    family: ClassVar[Family[SelectionPart]] = SELECTIONS
    needs_client_losses: ClassVar[bool] = False
    """Whether it goes by what clients lose, which tells of their rows."""
    uniform: ClassVar[bool] = False
    """Whether all cohorts of a size are equally likely, whatever was before."""
    fixed: ClassVar[bool] = True
    """Whether the sizes of cohorts are known beforehand."""

    name: str = ""


class Uniform(SelectionPart, name="uniform", runs="server.selection.rules:Uniform"):
    """Every client is as likely as any other."""

    uniform: ClassVar[bool] = True


class Poisson(SelectionPart, name="poisson", runs="server.selection.rules:Poisson"):
    """Each client takes part with the same probability, whatever the others do (Poisson sampling).

    `clients_per_round` and `min_clients` decide nothing. A round in which nobody takes part leaves the weights as they
    are; with `federation.privacy` it adds noise like any other.
    """

    fixed: ClassVar[bool] = False

    rate: float = key("q: how likely each client takes part in a round.", unit="probability", gt=0, le=1)


class BySize(SelectionPart, name="by_size", runs="server.selection.rules:BySize"):
    """Clients are drawn one after the other, each with a probability in proportion to its training rows."""


class RoundRobin(SelectionPart, name="round_robin", runs="server.selection.rules:RoundRobin"):
    """Clients take turns, in an order drawn once."""


class PowerOfChoice(SelectionPart, name="power_of_choice", runs="server.selection.rules:PowerOfChoice"):
    """Of some candidates, drawn by size, those that lose most with the global weights (Cho et al. 2022, π_pow-d)."""

    needs_client_losses: ClassVar[bool] = True

    candidates: int | None = key(
        "d: how many clients are asked for their loss; twice the cohort if left out.", None, unit="clients", ge=1
    )


class Oort(SelectionPart, name="oort", runs="server.selection.oort:Oort"):
    """Clients that lose most on many rows, and some that were never seen (Lai et al. 2021, algorithm 1).

    A client's utility is |B|·√(Σ loss²/|B|) over its training rows, with the weights it was last sent. Its time is
    the number of rows it trains on in a round, which the scenario tells; there is no pacer, `preferred_rows` stays.
    """

    needs_client_losses: ClassVar[bool] = True

    exploration: float = key("ε: the share of a cohort that was never seen, first.", 0.9, unit="fraction", ge=0, le=1)
    exploration_decay: float = key("ε is multiplied by this each round.", 0.98, unit="none", gt=0, le=1)
    exploration_least: float = key("ε does not fall below this.", 0.2, unit="fraction", ge=0, le=1)
    cutoff: float = key(
        "c: clients with at least this share of the utility of the last that fits in may be chosen.",
        0.95,
        unit="fraction",
        gt=0,
        le=1,
    )
    clip: float = key("Utilities count at most as this quantile of all known.", 0.95, unit="fraction", gt=0, le=1)
    most_rounds: int | None = key(
        "Clients that took part in more rounds are chosen last, against outliers; no limit if left out.",
        None,
        unit="rounds",
        ge=1,
    )
    preferred_rows: float | None = key(
        "T: clients that train on more rows a round are worth less; what a client takes does not matter if left out.",
        None,
        unit="rows",
        gt=0,
    )
    penalty: float = key("α: by (T/rows)^α.", 2.0, unit="none", ge=0)


class Schedule(SelectionPart, name="schedule", runs="server.selection.schedule:Schedule"):
    """Who takes part when stands in a file, and `clients_per_round` decides nothing.

    A YAML file holds a list of client ids for each round, by number (`3: [0, 4]`) or in order; a CSV file has the
    columns round and client and suits long schedules.
    """

    path: FilePath = key("The file: .yaml, .yml or .csv.")
    repeat: bool = key("Begin anew when the schedule is over.", False)


Selection = Annotated[SelectionPart, SELECTIONS]
