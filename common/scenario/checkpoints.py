"""`checkpoints:` how often a run's state is saved, so that it can be resumed."""

from __future__ import annotations

from common.scenario.base import Part, key


class Checkpoints(Part):
    """What a run can be resumed from; the last round is always saved."""

    every: int = key("Save after every so many rounds.", 10, unit="rounds", ge=1)
    keep: int = key("How many of these to keep, the newest.", 2, unit="checkpoints", ge=1)
    best: bool = key(
        "Keep the best round as well: by the validation examples or, where clients have models of their own, by "
        "these on their held-out examples.",
        True,
    )
