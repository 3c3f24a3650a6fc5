"""`training:` what each client does with its shard in a round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from common.scenario.augmentation import Augmentation
from common.scenario.base import Part, expecting, key, refuse
from common.scenario.losses import Auto, Loss
from common.scenario.optimizers import Optimizer, Sgd
from common.scenario.regularization import EarlyStopping, Regularization
from common.scenario.schedules import Schedule

BatchSize = Annotated[
    Annotated[int, Field(ge=1, le=1_000_000_000)] | Literal["full"],
    expecting("a whole number of examples, at least 1, or full"),
]


def _in_a_list(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


Schedules = Annotated[tuple[Schedule, ...], Field(strict=False), BeforeValidator(_in_a_list)]
"""One schedule, or a list of them."""


class Training(
    Part,
    compiled=(
        *("epochs", "steps", "batch_size", "optimizer", "optimizer_state", "schedule", "clip_norm", "clip_value"),
        *(
            "mixup",
            "early_stopping",
            "loss",
            "regularization",
            "augmentation",
            "trainer",
            "stack",
            "stacked",
            "device",
            "device_memory",
        ),
    ),
):
    """Local training: the same for every client unless the server's strategy says otherwise."""

    renamed: ClassVar[Mapping[str, str]] = {"engine": "trainer"}

    epochs: int | None = key(
        "Passes over the client's shard in a round; 1 where neither epochs nor steps is given.",
        None,
        unit="epochs",
        ge=1,
        le=1_000_000,
    )
    steps: int | None = key("Steps in a round, in place of epochs.", None, unit="steps", ge=1, le=1_000_000_000)
    batch_size: BatchSize = key("Examples in a step; full takes the whole shard.", 32, unit="examples")
    optimizer: Optimizer = key("What turns gradients into steps.", Sgd())
    optimizer_state: Literal["round", "client"] = key(
        "How long momentum and the like last: round starts every round anew, client keeps each client's own.", "round"
    )
    schedule: Schedules = key("How the learning rate changes over rounds and steps; several are multiplied.", ())
    clip_norm: float | None = key(
        "Scale a client's gradient down to this norm where it is longer (torch.nn.utils.clip_grad_norm_).",
        None,
        unit="none",
        gt=0,
    )
    clip_value: float | None = key("Cut each number of a gradient to within ± this.", None, unit="none", gt=0)
    loss: Loss = key("What is minimized.", Auto())
    regularization: Regularization = key("What keeps weights small.", Regularization())
    augmentation: tuple[Augmentation, ...] = key(
        "How training changes examples, one step after the other; examples that are measured on stay as they are.",
        (),
        strict=False,
    )
    mixup: float | None = key(
        "Train on mixtures λx + (1−λ)x' of a batch's examples and their losses, λ of Beta(this, this) for each batch "
        "(Zhang et al. 2018, equation 1).",
        None,
        unit="none",
        gt=0,
    )
    early_stopping: EarlyStopping | None = key("When a client stops a round before its last epoch.", None)
    trainer: Literal["auto", "torch", "compiled"] = key(
        "What trains: auto takes the compiled trainer where it covers the scenario and every host has it, else "
        "PyTorch. They agree to about 1e-6, not to the bit; with regularization.l1 to about 3e-3, since a weight near "
        "0 may have the other sign.",
        "auto",
    )
    stack: int | None = key(
        "How many clients a worker trains at once, as one stack of tensors; chosen from the model's size if left out.",
        None,
        unit="clients",
        ge=1,
        le=4096,
    )

    stacked: Literal["auto", "yes", "no"] = key(
        "Whether an own network's stacks are one operation (torch.func); auto does so where that is right and faster.",
        "auto",
    )

    device: Literal["cpu", "cuda", "auto"] = key(
        "Where clients' networks are trained: cpu, cuda (one card a worker), or auto: cuda where every worker has a "
        "card. A run has the same bits on the same kind of card, CUDA, cuDNN and PyTorch. Evaluation stays on the CPU.",
        "cpu",
    )
    device_memory: int = key(
        "How much of a card's memory a stack may take; with the network it decides how many clients are in it.",
        4_000_000_000,
        unit="bytes",
        ge=1_000_000,
    )

    @property
    def stacking(self) -> Literal["auto", "yes", "no", "right"]:
        """As `stacked`; `right` on a card, where every stack that is right is faster than its networks one by one."""
        return "right" if self.device == "cuda" and self.stacked == "auto" else self.stacked

    def own_settings(self) -> list[str]:
        """The settings that clients can each have a number of their own for, by dotted key."""
        parts: dict[str, type[Part]] = {"optimizer.": type(self.optimizer), "regularization.": Regularization}
        numbers = [
            f"{prefix}{name}"
            for prefix, part in parts.items()
            for name, field in part.model_fields.items()
            if field.annotation in (float, float | None)
        ]
        return [*numbers, "clip_norm", "clip_value"]

    @model_validator(mode="after")
    def _one_length(self) -> Training:
        if self.epochs is not None and self.steps is not None:
            raise refuse("steps", "either epochs or steps, not both")
        if self.early_stopping is not None and self.steps is not None:
            raise refuse("early_stopping", "training by epochs beside it, not by steps")
        return self
