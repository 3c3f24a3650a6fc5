"""`federation.limits:` what a reply may claim at most; whatever claims more is left out and named."""

from __future__ import annotations

from common.scenario.base import Part, key


class Limits(Part):
    """Bounds that no honest client comes near."""

    message_mb: float | None = key(
        "The size of a reply; larger ones are refused unread. Some 16 times what is asked for if left out.",
        None,
        unit="MB",
        gt=0,
    )
    examples: int = key(
        "The training examples of a client; one that claims more takes no part.", 10**8, unit="examples", ge=1
    )
    update_norm: float = key(
        "The length ‖θ − θ_global‖₂ of a client's change of the weights, or of a block's mean change; "
        "a reply with a longer one is refused.",
        1e6,
        unit="none",
        gt=0,
    )
