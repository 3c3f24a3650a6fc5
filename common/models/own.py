"""A network of a user's own, or one that ships as one: any module, trained one by one or by `torch.func`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import vmap

from common import seeds
from common.data.data_spec import DataSpec
from common.determinism import global_generators
from common.devices import to_device
from common.errors import InputError
from common.models.features import take_features
from common.models.layout import Weights
from common.models.network import DTYPES, Network, Step
from common.models.outputs import Output
from common.models.own_module import OwnModule, network_data, sent_buffers
from common.scenario.model import ModelPart

_STACKED = (
    *(nn.Linear, nn.Bilinear, nn.Embedding, nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.Flatten, nn.Unflatten),
    *(nn.Identity, nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.Softmax, nn.LogSoftmax),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid),
    *(nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.LogSigmoid, nn.Softplus, nn.Softsign, nn.PReLU),
)
"""Modules of PyTorch's that are faster stacked on a CPU; convolutions and recurrent layers are faster one by one."""
_LARGE = 1 << 20
"""Parameters beyond which passing over a network's memory takes longer than starting operations on it."""
_PIECE = 64
"""Examples that are evaluated at once: what convolutions make of them stays in a core's cache."""
_Call = Callable[..., tuple[Tensor, ...]]
"""(one network's weights, its examples, …) → tensors with an entry for each example."""
_DRAWS = -1
"""The part of a step's stream that a network's own measures draw from; dropout's layers have the others."""
_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}


def shapes_of(spec: ModelPart, data_spec: DataSpec, output: Output) -> dict[str, tuple[int, ...]]:
    """The shapes of a network's arrays by name, found without memory for them (PyTorch's device `meta`)."""
    data = network_data(data_spec, output)
    try:
        with torch.device("meta"):
            module = spec.build(data)
    except Exception:  # whatever a user's module does that needs numbers
        if spec.is_built_in():
            raise
        with global_generators(0):
            module = spec.build(data)
    return {name: tuple(tensor.shape) for name, tensor in (*module.named_parameters(), *sent_buffers(module))}


class OwnNetwork(Network):
    """A module with what training needs of it. Its children and arrays go by their own names.

    Counters such as `num_batches_tracked` stay where they are and are not sent.
    """

    why_alone: str
    """Why stacks are trained one by one; empty where a stack is one operation."""
    _one: OwnModule
    _features: int

    def __init__(self, spec: ModelPart, data_spec: DataSpec, output: Output, key: int, stacked: str = "auto") -> None:
        """`key` decides the weights, `stacked` whether stacks are one operation: `Training.stacking`.

        Raises InputError for a module that gives other outputs than the task has, or cannot be trained here.
        """
        super().__init__()
        self._take(OwnModule(spec, data_spec, output, key))
        # As attributes of a module these would be looked through for its children and arrays.
        self.__dict__ |= {"spec": spec, "output": output, "_features": data_spec.features}
        why = "as training.stacked says" if stacked == "no" else self._why_alone(forced=stacked in ("yes", "right"))
        if stacked == "yes" and why:
            raise InputError(f"{spec.name} cannot be stacked: {why}", "training.stacked")
        self.__dict__["why_alone"] = why
        self.__dict__["stacks"] = not self.why_alone
        self.train()

    def _take(self, one: OwnModule) -> None:
        """Share the module's children and arrays, under their names."""
        module = one.module
        self.__dict__ |= {
            "_one": one,
            "has_features": one.has_features,
            "own_loss": one.measures is not None,
            "own_metrics": tuple(name for name in one.measured if name not in ("loss", "objective")),
            "_modules": module._modules,
            "_parameters": module._parameters,
            "_buffers": module._buffers,
            "_non_persistent_buffers_set": module._non_persistent_buffers_set,
        }

    @property
    def module(self) -> nn.Module:
        """The module itself."""
        return self._one.module

    def shaped(self, x: Tensor) -> Tensor:
        """Flat examples (n, features) as the module takes them."""
        return self._one.shaped(x)

    def named_buffers(self, *arguments: Any, **options: Any) -> Iterator[tuple[str, Tensor]]:
        """Those that are sent."""
        return sent_buffers(self.module)

    @torch.no_grad()
    def assign(self, weights: Weights) -> None:
        """Copy the arrays, so that tied weights stay tied, and go where they are."""
        self.module.to(next(iter(weights.values())).device)
        for name, tensor in self.arrays().items():
            tensor.copy_(weights[name])

    def initialize(self, generator: torch.Generator) -> None:
        """Build it anew, drawing from global generators that are set from this one."""
        self._one.build(generator.initial_seed())
        self._take(self._one)

    @property
    def numbers_per_example(self) -> int:
        """What its modules give for an example, as it was when it was tried."""
        return self._one.numbers

    def place(self, device: torch.device) -> None:
        """Move buffers, some of which are not sent; parameters stay, and tied ones tied."""
        for module in self.module.modules():
            for name, buffer in module._buffers.items():
                module._buffers[name] = None if buffer is None else to_device(buffer, device)

    def train(self, mode: bool = True) -> OwnNetwork:
        """Switch the module too."""
        self.module.train(mode)
        super().train(mode)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Outputs for examples `x`: (…, features) → (…, width)."""
        outputs = self._one.outputs(x.reshape(-1, self._features))
        if self.has_features:
            take_features(self.module)
        return outputs.view(*x.shape[:-1], -1)

    def pass_stack(self, weights: Weights, x: Tensor, step: Step | None = None) -> tuple[Tensor, Tensor | None]:
        """As in Network; no padded example reaches the module, so clients with ragged batches go one by one."""
        found = self._over_stack(self._one.called, weights, step, x)
        return found[0], found[1] if self.has_features else None

    def losses_stack(
        self, weights: Weights, x: Tensor, y: Tensor, step: Step | None = None, keys: seeds.Streams | None = None
    ) -> Tensor:
        """As in Network."""
        self._switch(step)
        if step is not None:
            streams = step.streams()
            keys = None if streams is None else seeds.bits(seeds.fork(streams, _DRAWS), x.shape[1])
        return self._over_stack(self._one.losses, weights, step, x, y, *self._one.drawn(x, keys))[0]

    def measures_stack(self, weights: Weights, x: Tensor, y: Tensor, keys: seeds.Streams) -> Weights:
        """As in Network."""
        self._switch(None)
        call = partial(self._one.losses, metrics=True)
        found = self._over_stack(call, weights, None, x, y, *self._one.drawn(x, keys))
        return dict(zip(self._one.measured, found, strict=True))

    def _switch(self, step: Step | None) -> None:
        """Make it one that is trained, or in use."""
        if self.training != (step is not None):
            self.train(step is not None)

    def _over_stack(self, call: _Call, weights: Weights, step: Step | None, *inputs: Tensor) -> tuple[Tensor, ...]:
        """What a call gives for each network and its inputs, (stack, examples, …) each."""
        self._switch(step)
        stack, examples = inputs[0].shape[:2]
        whole = step is None or int(step.counts.min()) == examples
        # Batch normalization has no spread over a single example.
        if self.stacks and whole and stack > 1 and examples > 1 and step is not None:
            together: tuple[Tensor, ...] = vmap(call)(weights, *inputs)
            return together
        return self._one_by_one(call, weights, step, *inputs)

    def _one_by_one(self, call: _Call, weights: Weights, step: Step | None, *inputs: Tensor) -> tuple[Tensor, ...]:
        """What a call gives for each network of a stack, one after the other."""
        # The gradient of a row taken by its place would be as large as all of them.
        alone = len(inputs[0]) == 1
        rows = {name: (tensor.squeeze(0),) if alone else tensor.unbind() for name, tensor in weights.items()}
        streams = None if step is None else step.streams()
        each = []
        for place in range(len(inputs[0])):
            own = {name: each_own[place] for name, each_own in rows.items()}
            with self._one.drawing(streams, place):
                each.append(self._alone(call, own, step, place, *inputs))
        return tuple(one[0].unsqueeze(0) if alone else torch.stack(one) for one in zip(*each, strict=True))

    def _alone(self, call: _Call, own: Weights, step: Step | None, place: int, *inputs: Tensor) -> tuple[Tensor, ...]:
        """What a call gives for one network of a stack; zeros for padding."""
        examples = inputs[0].shape[1]
        count = examples if step is None else int(step.counts[place])
        size = _PIECE if step is None and not self.stacks else count
        with self._one.with_batch_of(count):
            if count <= size:
                found = list(call(own, *(one[place, :count] for one in inputs)))
            else:
                pieces = zip(*(torch.split(one[place, :count], size) for one in inputs), strict=True)
                found = [torch.cat(one) for one in zip(*(call(own, *piece) for piece in pieces), strict=True)]
        padding = examples - count
        return tuple(torch.cat([one, one.new_zeros(padding, *one.shape[1:])]) if padding else one for one in found)

    def _why_alone(self, forced: bool) -> str:
        """Why a stack is trained one by one; empty where `torch.func` is right and, unless it is forced, faster."""
        if self._one.random or self._one.dropouts:
            return "its random layers draw for each client"
        for module in self.module.modules():
            if not forced and type(module).__module__.startswith("torch.nn") and type(module) not in _STACKED:
                return f"{type(module).__name__} is faster one by one on a CPU"
        if not forced and sum(parameter.numel() for parameter in self.parameters()) > _LARGE:
            return "so large a network is faster one by one on a CPU"
        self._one.make_stackable(True)
        if why := self._differs():
            self._one.make_stackable(False)
        return why

    def _differs(self) -> str:
        """How outputs or gradients of a stack of two differ from those one by one; empty where they do not."""
        one, dtype = self._one, DTYPES[self.spec.dtype]
        generator = torch.Generator().manual_seed(0)
        arrays = {name: tensor.detach() for name, tensor in self.arrays().items()}
        x = torch.rand(2, 3, self._features, generator=generator, dtype=dtype)
        call: _Call = one.called
        inputs: tuple[Tensor, ...] = (x,)
        if one.measures is not None:
            keys = seeds.bits(seeds.streams(0, "try", 0, np.arange(2)), 3)
            call, inputs = one.losses, (x, one.zero_targets(2, 3), *one.drawn(x, keys))
        parameters = {name for name, _ in self.named_parameters()}

        def passed(stacked: bool) -> list[Tensor]:
            weights = {
                name: torch.stack([tensor, tensor * 1.1]).requires_grad_(name in parameters)
                for name, tensor in arrays.items()
            }
            self.module.train()
            outputs = vmap(call)(weights, *inputs)[0] if stacked else self._one_by_one(call, weights, None, *inputs)[0]
            leaves = [weights[name] for name in parameters]
            return [outputs.detach(), *torch.autograd.grad((outputs**2).sum(), leaves, allow_unused=True)]

        try:
            for mine, other in zip(passed(True), passed(False), strict=True):
                if (mine is None) != (other is None) or (mine is not None and not _close(mine, other)):
                    return "stacked it gives other outputs or gradients"
        except Exception as error:  # whatever a user's module raises under torch.func
            return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        return ""


def _close(one: Tensor, other: Tensor) -> bool:
    """Whether numbers are the same but for rounding, which goes by the largest of them."""
    tolerance = _TOLERANCE[one.dtype]
    return torch.allclose(one, other, tolerance, tolerance * max(1.0, float(other.abs().max())))
