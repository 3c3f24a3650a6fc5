"""Local training of a stack: many clients' networks advance together, one tensor operation for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from clients.batches import Batch
from clients.regularization.dropout import Noise
from clients.regularization.early_stopping import EarlyStopping
from clients.regularization.mixup import Mixup
from clients.training.dense_steps import Means, dense_step
from clients.training.inputs import Augment, inputs_of
from clients.training.schedules import LearningRates
from common.data.examples import ExampleReader
from common.devices import to_device_of
from common.extend.client import LossTerm, Proximal, StepHook
from common.models import MLP, Network, Weights
from common.objective import Objective
from common.scenario.optimizers import OptimizerPart, Sgd
from common.stacks import Number


@dataclass
class Stack:
    """A stack of clients ready to be trained, in descending order of their steps."""

    network: Network
    parameters: Weights
    """The clients' weights, (stack, *shape); training moves them in place."""
    buffers: Weights
    """Their running statistics, likewise."""
    fixed: Weights
    """Weights that have a part in forward passes and are not trained, likewise."""
    examples: ExampleReader
    fills: Tensor | None
    """What takes the place of gaps in each client's examples, (stack, raw features), where that is its own."""
    objective: Objective
    optimizer: OptimizerPart
    """With each client's own options, where they have some."""
    optimizer_state: Weights
    """What it carries from step to step, (stack, …)."""
    rates: LearningRates
    noise: Noise
    alike: bool = False
    """Whether all clients start from the same weights."""
    proximal: Proximal | None = None
    """What pulls the weights somewhere."""
    control: Weights | None = None
    """What is added to gradients after penalties and clipping, (1, *shape) or (stack, *shape)."""
    repeats: int = 1
    """How many steps of the optimizer are taken on each batch."""
    before: Sequence[StepHook] = ()
    """What is done to gradients before a step of the optimizer."""
    after: Sequence[StepHook] = ()
    """What is done to weights after it."""
    augment: Augment | None = None
    mixup: Mixup | None = None
    stopping: EarlyStopping | None = None
    term: LossTerm | None = None
    """What an algorithm adds to the loss."""
    tally: Weights = field(default_factory=dict)
    """What an algorithm keeps count of from step to step, (stack, …)."""

    @property
    def carried(self) -> Weights:
        """All that training changes, and what it rests on."""
        proximal = self.proximal
        origin = {f"origin.{name}": tensor for name, tensor in proximal.origin.items()} if proximal else {}
        moving = origin if proximal and proximal.follow else {}
        return self.parameters | self.fixed | self.buffers | self.optimizer_state | self.tally | moving


def train_stack(stack: Stack, steps: Iterable[Batch]) -> Tensor:
    """Train every client of a stack in place, each on its own batches only.

    Returns the sum over the steps it took of each client's mean batch loss, shape (stack,). Clients do not mix: a
    client's weights are what they would be had it been trained alone.
    """
    first = next(iter(stack.parameters.values()))
    losses = first.new_zeros(len(first))
    active, leaves, weights = 0, {}, {}
    by_hand = _by_hand(stack)
    if stack.stopping is not None:
        stack.stopping.begin(stack.carried)
    for batch, x in inputs_of(steps, stack.examples, stack.fills, stack.augment):
        if batch.active != active:
            # The leaves share the stack's memory: the optimizer's steps move the weights themselves.
            active = batch.active
            graph = by_hand is None
            leaves = {name: tensor[:active].requires_grad_(graph) for name, tensor in stack.parameters.items()}
            weights = leaves | {name: tensor[:active] for name, tensor in (stack.fixed | stack.buffers).items()}
        moving, rate = list(leaves.values()), stack.rates(batch.step)
        for repeat in range(stack.repeats):
            if by_hand is not None:
                fused = rate if isinstance(rate, float) and _plain(stack) else None
                mixed, means = _means(stack, by_hand, batch, x)
                noise = stack.noise.begin(batch)
                each, gradients = dense_step(by_hand, weights, list(leaves), mixed, noise, means, fused)
            else:
                each, term = _losses(stack, weights, batch, x)
                gradients = list(torch.autograd.grad((each if term is None else each + term).sum(), moving))
            with torch.no_grad():
                if repeat == 0:
                    if stack.stopping is not None:
                        going = torch.from_numpy(stack.stopping.still_training(active))
                        each = each.where(to_device_of(going, each), 0)
                    losses[:active] += each
                if gradients:
                    _step(stack, active, leaves, gradients, rate)
            # The next step's take their place in the cache.
            del gradients
        if stack.proximal is not None and stack.proximal.follow:
            for name, weight in leaves.items():
                stack.proximal.origin[name][:active].lerp_(weight.detach(), stack.proximal.follow)
        if stack.stopping is not None:
            stack.stopping.after(batch.step, active, stack.carried)
            if not stack.stopping.still_training(active).any():
                break
    return losses


def _pull(proximal: Proximal, active: int, weights: Weights, gradients: Iterable[Tensor]) -> None:
    """g ← g + λ (θ − origin)."""
    for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
        gradient.add_(weight - proximal.origin[name][:active], alpha=proximal.strength)


def _by_hand(stack: Stack) -> MLP | None:
    """The network if its backward pass is written by hand: an MLP that drops no weights, without a further term."""
    network = stack.network
    known = isinstance(network, MLP) and not network.spec.drop_connect and stack.term is None
    return network if known else None  # type: ignore[return-value]


def _plain(stack: Stack) -> bool:
    """Whether a step is weights − rate·gradients, with nothing done to either."""
    changes = stack.proximal or stack.control or stack.before or stack.after or stack.optimizer_state
    return type(stack.optimizer) is Sgd and not changes


def _step(stack: Stack, active: int, leaves: Weights, gradients: list[Tensor], rate: Number) -> None:
    """What is done to gradients, the optimizer's step, and what is done to weights."""
    moving = list(leaves.values())
    if stack.proximal is not None:
        _pull(stack.proximal, active, leaves, gradients)
    for change in stack.before:
        change(active, moving, gradients, rate)
    if stack.control is not None:
        for name, gradient in zip(leaves, gradients, strict=True):
            gradient.add_(stack.control[name][:active])
    stack.optimizer.step(stack.optimizer_state, active, leaves, gradients, rate)
    for change in stack.after:
        change(active, moving, gradients, rate)


def _means(stack: Stack, network: MLP, batch: Batch, x: Tensor) -> tuple[Tensor, Means]:
    """The batch's inputs, mixed where they are to be, and what finds mean losses and derivatives."""
    y, loss, shares = stack.examples.targets(batch.positions), stack.objective.loss, batch.shares
    if stack.mixup is None:
        return x, lambda z: loss.mean_and_gradient(z, network.read, y, shares)
    mixed, share, others = _mixed(stack.mixup, batch, x, y)

    def means(z: Tensor) -> tuple[Tensor, Tensor]:
        (own, by_own), (other, by_other) = (
            loss.mean_and_gradient(z, network.read, targets, shares) for targets in (y, others)
        )
        along = share.view(-1, 1, 1)
        return share * own + (1 - share) * other, along * by_own + (1 - along) * by_other

    return mixed, means


def _mixed(mixup: Mixup, batch: Batch, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs mixed with their partners', how much of each is its own, (active,), and the partners' targets."""
    share, partners = mixup(batch)
    client, by = torch.arange(batch.active, device=x.device).unsqueeze(1), share.view(-1, 1, 1)
    return by * x + (1 - by) * x[client, partners], share, y[client, partners]


def _losses(stack: Stack, weights: Weights, batch: Batch, x: Tensor) -> tuple[Tensor, Tensor | None]:
    """Each client's mean loss on its batch, whose inputs are `x`, and the algorithm's term: (active,) both."""
    step, y, shares = stack.noise.begin(batch), stack.examples.targets(batch.positions), batch.shares
    if stack.mixup is None:
        losses, hidden = stack.objective.means(weights, x, y, shares, step)
    else:
        x, share, others = _mixed(stack.mixup, batch, x, y)
        outputs, hidden = stack.network.pass_stack(weights, x, step)
        own, other = (stack.objective.loss.mean(outputs, targets, shares) for targets in (y, others))
        losses = share * own + (1 - share) * other
    return losses, None if stack.term is None else stack.term(batch, x, hidden)
