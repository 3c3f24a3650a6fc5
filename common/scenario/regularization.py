"""`training.regularization:` what keeps weights small, and when a client stops on its own."""

from __future__ import annotations

from common.scenario.base import Part, key


class Regularization(Part, compiled=True):
    """Penalties, budgets and weight decay, on all parameters but biases and those of normalization layers.

    The reported training loss is the data's alone.
    """

    l1: float = key("λ of the penalty λ Σ│w│ (lasso); with l2, the elastic net.", 0.0, unit="none", ge=0)
    l2: float = key("λ of the penalty (λ/2) Σ w² (ridge).", 0.0, unit="none", ge=0)
    l1_budget: float | None = key(
        "After each step the weights are projected onto Σ│w│ ≤ this (Duchi et al. 2008, equation 3).",
        None,
        unit="none",
        gt=0,
    )
    l2_budget: float | None = key(
        "After each step the weights are projected onto Σ w² ≤ this.", None, unit="none", gt=0
    )
    weight_decay: float = key("λ of the decoupled decay w ← w − ηλw before each step.", 0.0, unit="none", ge=0)
    biases: bool = key("Whether biases, but for those of normalization layers, are regularized too.", False)


class EarlyStopping(Part, compiled=True):
    """A client stops a round's training when its own held-out loss no longer falls, and keeps its best weights.

    The loss is measured before the first epoch and after each. Needs `data.client_holdout`; clients without
    held-out examples train on to the end.
    """

    patience: int = key("Epochs without a better loss before it stops.", 1, unit="epochs", ge=1)
    min_delta: float = key("By how much a loss must be better to count.", 0.0, unit="loss", ge=0)
