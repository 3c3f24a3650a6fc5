"""One client trained by plain torch.nn and torch.optim: the independent truth that stacks are compared with."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.scenario import Scenario
from common.scenario.model import MLPModel
from tests.draws import Draws

ACTIVATIONS: dict[str, Callable[[Any], nn.Module]] = {
    "relu": lambda spec: nn.ReLU(),
    "leaky_relu": lambda spec: nn.LeakyReLU(spec.slope),
    "tanh": lambda spec: nn.Tanh(),
    "sigmoid": lambda spec: nn.Sigmoid(),
    "gelu": lambda spec: nn.GELU(),
    "silu": lambda spec: nn.SiLU(),
}


class OneRowNorm(nn.BatchNorm1d):
    """PyTorch refuses a batch of one row; by the formula, x − μ = 0, the shift is left."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) == 1:
            return self.weight * (x - x) + self.bias
        result: Tensor = super().forward(x)
        return result


class Plain(nn.Module):
    """The network of a scenario in torch.nn's own modules."""

    def __init__(self, spec: MLPModel, features: int, outputs: int) -> None:
        super().__init__()
        dtype = {"float32": torch.float32, "float64": torch.float64}[spec.dtype]
        widths = [features, *spec.layers, outputs]
        batch = spec.normalization.name == "batch"
        self.layers = nn.ModuleList(
            nn.Linear(a, b, bias=not batch or b_index == len(spec.layers), dtype=dtype)
            for b_index, (a, b) in enumerate(itertools.pairwise(widths))
        )
        kinds: dict[str, Callable[[int], nn.Module]] = {
            "none": lambda units: nn.Identity(),
            "batch": lambda units: OneRowNorm(units, spec.normalization.eps, spec.normalization.momentum, dtype=dtype),
            "layer": lambda units: nn.LayerNorm(units, spec.normalization.eps, dtype=dtype),
        }
        self.norms = nn.ModuleList(kinds[spec.normalization.name](units) for units in spec.layers)
        self.activation = ACTIVATIONS[spec.activation.name](spec.activation)

    def forward(self, x: Tensor, draws: Draws | None = None) -> Tensor:
        """Logits of rows (rows, features); in a training step with what it draws."""
        x = x if draws is None else draws.units(x, 0)
        for index, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=False)):
            x = self.activation(norm(self._dense(index, layer, x, draws)))
            x = x if draws is None else draws.units(x, index + 1)
        return self._dense(len(self.layers) - 1, self.layers[-1], x, draws)

    @staticmethod
    def _dense(index: int, layer: nn.Module, x: Tensor, draws: Draws | None) -> Tensor:
        assert isinstance(layer, nn.Linear)
        weight = layer.weight if draws is None else draws.connections(layer.weight, index)
        return F.linear(x, weight, layer.bias)


def criterion(chosen: Scenario, labels: list[Any]) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of a scenario, on logits z and label codes or on numbers."""
    spec, kind = chosen.training.loss, chosen.model.output
    if not labels:
        read = {"softmax": nn.Softmax(dim=-1), "sigmoid": nn.Sigmoid()}.get(kind, nn.Identity())
        numbers = {
            "auto": nn.MSELoss(),
            "mse": nn.MSELoss(),
            "half_mse": lambda h, y: nn.MSELoss()(h, y) / 2,
            "huber": nn.HuberLoss(delta=getattr(spec, "delta", 1.0)),
        }[spec.name]
        return lambda z, y: numbers(read(z), y.to(z.dtype))
    given = getattr(spec, "class_weights", None)
    weight = torch.tensor([(given or {}).get(str(label), 1.0) for label in labels], dtype=torch.float64)
    smoothing = getattr(spec, "label_smoothing", 0.0)
    if kind == "sigmoid" and spec.name in ("auto", "binary_cross_entropy"):

        def binary(z: Tensor, y: Tensor) -> Tensor:
            hot = y.unsqueeze(1).to(z.dtype) if z.shape[1] == 1 else F.one_hot(y, z.shape[1]).to(z.dtype)
            h = torch.sigmoid(z)
            soft = hot * (1 - smoothing) + smoothing / 2
            each = -(soft * h.log() + (1 - soft) * (1 - h).log()).mean(dim=1)
            rows = weight[y].to(z.dtype)
            return (each * rows).sum() / rows.sum()

        return binary
    if spec.name in ("auto", "cross_entropy"):
        own = weight if given else None
        return lambda z, y: F.cross_entropy(z, y, None if own is None else own.to(z.dtype), label_smoothing=smoothing)
    squared = {"mse": F.mse_loss, "half_mse": lambda h, y: F.mse_loss(h, y) / 2}.get(
        spec.name, nn.HuberLoss(delta=getattr(spec, "delta", 1.0))
    )
    read = {"linear": nn.Identity(), "sigmoid": nn.Sigmoid()}.get(kind, nn.Softmax(dim=-1))

    def of_classes(z: Tensor, y: Tensor) -> Tensor:
        hot = y.unsqueeze(1) if z.shape[1] == 1 else F.one_hot(y, z.shape[1])
        return squared(read(z), hot.to(z.dtype))

    return of_classes


class Classical(torch.optim.Optimizer):
    """v ← γ v + η g, θ ← θ − v: the document's section 2.4."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for theta in group["params"]:
                v = self.state[theta].get("v", torch.zeros_like(theta))
                v = group["momentum"] * v + group["lr"] * theta.grad
                self.state[theta]["v"] = v
                theta -= v


class Averaged(torch.optim.Optimizer):
    """v ← γ v + (1 − γ) g, θ ← θ − η v, v₀ = 0: the document's section 2.5."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for theta in group["params"]:
                v = self.state[theta].get("v", torch.zeros_like(theta))
                v = group["momentum"] * v + (1 - group["momentum"]) * theta.grad
                self.state[theta]["v"] = v
                theta -= group["lr"] * v


def optimizer(spec: Any, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """torch.optim's optimizer for a scenario's, or a literal transcription where it has none."""
    made: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "sgd": lambda: torch.optim.SGD(parameters, spec.lr, spec.momentum, nesterov=spec.nesterov),
        "momentum": lambda: Classical(parameters, spec.lr, spec.momentum),
        "averaged_momentum": lambda: Averaged(parameters, spec.lr, spec.momentum),
        "adagrad": lambda: torch.optim.Adagrad(
            parameters, spec.lr, eps=spec.eps, initial_accumulator_value=spec.initial
        ),
        "rmsprop": lambda: torch.optim.RMSprop(
            parameters, spec.lr, alpha=spec.decay, eps=spec.eps, momentum=spec.momentum
        ),
        "adam": lambda: torch.optim.Adam(parameters, spec.lr, (spec.beta1, spec.beta2), spec.eps),
        "adamw": lambda: torch.optim.AdamW(
            parameters, spec.lr, (spec.beta1, spec.beta2), spec.eps, weight_decay=spec.weight_decay
        ),
    }
    return made[spec.name]()


def rate_factor(spec: Any, t: int, length: int) -> float:
    """What a schedule multiplies the rate with at t = 0, 1, …"""
    length = getattr(spec, "length", None) or length
    part = min(t / length, 1)
    return {
        "constant": lambda: 1.0,
        "step": lambda: spec.factor ** math.floor(t / spec.every),
        "exponential": lambda: spec.factor**t,
        "cosine": lambda: spec.final + (1 - spec.final) * 0.5 * (1 + math.cos(math.pi * part)),
        "linear": lambda: 1 - (1 - spec.final) * part,
        "warmup": lambda: spec.start + (1 - spec.start) * part,
        "inverse_sqrt": lambda: 1 / math.sqrt(1 + t / spec.offset),
    }[spec.name]()


def train(
    network: nn.Module,
    chosen: Scenario,
    labels: list[Any],
    batches: list[tuple[Tensor, Tensor]],
    steps: torch.optim.Optimizer,
    round_number: int = 1,
    client: int = 0,
    enough: Callable[[int], bool] = lambda step: False,
) -> float:
    """Train on the batches in turn, everything the scenario's `training` says done one after the other.

    `enough` is asked before the first step (0) and after each (1, 2, …) whether to stop.
    Returns the mean of the batches' losses, without penalties.
    """
    draws = Draws(chosen, round_number, client)
    training, rule = chosen.training, chosen.training.regularization
    loss_of = criterion(chosen, labels)
    kinds = (".weight", ".bias") if rule.biases else (".weight",)
    chosen_ones = [p for n, p in network.named_parameters() if n.startswith("layers.") and n.endswith(kinds)]
    base = [group["lr"] for group in steps.param_groups]
    losses = []
    for number, (x, y) in enumerate(batches):
        if enough(number):
            break
        draws.step = number
        if training.mixup is None:
            loss = loss_of(network(x, draws), y)
        else:
            share, partners = draws.mixture(len(x))
            z = network(share * x + (1 - share) * x[partners], draws)
            loss = share * loss_of(z, y) + (1 - share) * loss_of(z, y[partners])
        penalty = sum(rule.l1 * p.abs().sum() + rule.l2 / 2 * (p**2).sum() for p in chosen_ones)
        steps.zero_grad()
        (loss + penalty).backward()
        if training.clip_value is not None:
            nn.utils.clip_grad_value_(network.parameters(), training.clip_value)
        if training.clip_norm is not None:
            nn.utils.clip_grad_norm_(network.parameters(), training.clip_norm)
        for group, first in zip(steps.param_groups, base, strict=True):
            group["lr"] = first
            for spec in training.schedule:
                by_round = spec.by == "round"
                t, length = (round_number - 1, chosen.federation.rounds) if by_round else (number, len(batches))
                group["lr"] *= rate_factor(spec, t, length)
        with torch.no_grad():
            for p in chosen_ones:
                p *= 1 - steps.param_groups[0]["lr"] * rule.weight_decay
        steps.step()
        _project(chosen_ones, rule.l1_budget, rule.l2_budget)
        losses.append(loss.item())
    enough(len(losses))
    return float(np.mean(losses))


@torch.no_grad()
def _project(parameters: list[nn.Parameter], l1: float | None, l2: float | None) -> None:
    whole = nn.utils.parameters_to_vector(parameters)
    if l1 is not None and whole.abs().sum() > l1:
        # The threshold θ with Σ max(│w│ − θ, 0) = budget, found by bisection.
        low, high = 0.0, float(whole.abs().max())
        for _ in range(200):
            middle = (low + high) / 2
            if (whole.abs() - middle).clamp(min=0).sum() > l1:
                low = middle
            else:
                high = middle
        whole = whole.sign() * (whole.abs() - high).clamp(min=0)
    if l2 is not None and (whole**2).sum() > l2:
        whole = whole * (l2 / (whole**2).sum()).sqrt()
    nn.utils.vector_to_parameters(whole, parameters)
