"""`training:` what each client does with its shard in a round."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from common.scenario.base import Part, expecting, key, refuse
from common.scenario.optimizers import Optimizer, Sgd

BatchSize = Annotated[
    Annotated[int, Field(ge=1)] | Literal["full"], expecting("a whole number of rows, at least 1, or full")
]


class Training(Part):
    """Local training: the same for every client unless the server's strategy says otherwise."""

    epochs: int | None = key(
        "Passes over the client's shard in a round; 1 where neither epochs nor steps is given.",
        None,
        unit="epochs",
        ge=1,
    )
    steps: int | None = key("Steps in a round, in place of epochs.", None, unit="steps", ge=1)
    batch_size: BatchSize = key("Rows in a step; full takes the whole shard.", 32, unit="rows")
    optimizer: Optimizer = key("What turns gradients into steps.", Sgd())
    optimizer_state: Literal["round", "client"] = key(
        "How long momentum and the like last: round starts every round anew, client keeps each client's own.", "round"
    )
    loss: Literal["auto", "cross_entropy", "mse"] = key(
        "What is minimized: auto takes cross_entropy for classification and mse for regression.", "auto"
    )
    stack: int | None = key(
        "How many clients a worker trains at once, as one stack of tensors; chosen from the model's size if left out.",
        None,
        unit="clients",
        ge=1,
        le=4096,
    )

    @model_validator(mode="after")
    def _one_length(self) -> Training:
        if self.epochs is not None and self.steps is not None:
            raise refuse("steps", "either epochs or steps, not both")
        return self
