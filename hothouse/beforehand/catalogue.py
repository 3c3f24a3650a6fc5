"""What there is to choose from: scenarios that ship, and the alternatives of every key that has some."""

from __future__ import annotations

import re
from pathlib import Path

from common.scenario.activations import ACTIVATIONS
from common.scenario.augmentation import AUGMENTATIONS
from common.scenario.base import Part, name_of
from common.scenario.initializations import INITIALIZATIONS
from common.scenario.losses import LOSSES
from common.scenario.normalizations import NORMALIZATIONS
from common.scenario.optimizers import OPTIMIZERS
from common.scenario.partitions import PARTITIONS
from common.scenario.schedules import SCHEDULES
from common.scenario.selection import SELECTIONS
from common.scenario.shipped import shipped
from common.scenario.skews import SKEWS
from common.scenario.sources import SOURCES
from common.scenario.strategies import STRATEGIES
from common.scenario.tracking import TRACKERS

Choices = list[tuple[str, str]]
"""Names, with one line each on what they are."""

_FAMILIES: dict[str, tuple[tuple[type[Part], ...], str]] = {
    "sources": (SOURCES, "kind"),
    "partitions": (PARTITIONS, "scheme"),
    "skews": (SKEWS, "kind"),
    "activations": (ACTIVATIONS, "name"),
    "initializations": (INITIALIZATIONS, "name"),
    "normalizations": (NORMALIZATIONS, "name"),
    "losses": (LOSSES, "name"),
    "augmentations": (AUGMENTATIONS, "kind"),
    "optimizers": (OPTIMIZERS, "name"),
    "schedules": (SCHEDULES, "name"),
    "strategies": (STRATEGIES, "name"),
    "selections": (SELECTIONS, "name"),
    "trackers": (TRACKERS, "kind"),
}


def catalogue() -> dict[str, Choices]:
    """Every kind of thing that a scenario can name, and what there is of it."""
    found = {"scenarios": _scenarios()}
    for kind, (parts, tag) in _FAMILIES.items():
        found[kind] = [(name_of(part, tag), _first_line(part)) for part in parts]
    return {kind: choices for kind, choices in found.items() if choices}


def _scenarios() -> Choices:
    """The scenarios that ship, by the names that they can be run by."""
    return [(name, _comment(file)) for name, file in shipped().items()]


def _comment(file: Path) -> str:
    """The first sentence of the comment at the top of a scenario."""
    words: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if "yaml-language-server" not in line:
            words.append(line.lstrip("# "))
    return re.split(r"(?<! al)\. ", " ".join(words))[0].rstrip(".")


def _first_line(part: type[Part]) -> str:
    return (part.__doc__ or "").strip().splitlines()[0]
