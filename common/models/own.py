"""A network of a user's own, or one that ships as one: any module, trained one by one or by `torch.func`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils._pytree import tree_leaves

from common import seeds
from common.data.data_spec import DataSpec
from common.data.images import ImageShape, image_shape
from common.determinism import global_generators
from common.devices import to_device, to_device_of
from common.draws import normals, uniforms
from common.errors import InputError
from common.models.features import keep_features, take_features
from common.models.keyed_dropout import DIMENSIONS, KeyedDropout
from common.models.layout import Weights
from common.models.network import DTYPES, Network, Step
from common.models.outputs import Output
from common.models.own_measures import OwnMeasures, has
from common.scenario.model import ModelPart, NetworkData

_STACKED = (
    *(nn.Linear, nn.Bilinear, nn.Embedding, nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.Flatten, nn.Unflatten),
    *(nn.Identity, nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.Softmax, nn.LogSoftmax),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid),
    *(nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.LogSigmoid, nn.Softplus, nn.Softsign, nn.PReLU),
)
"""Modules of PyTorch's that are faster stacked on a CPU; convolutions and recurrent layers are faster one by one."""
_LARGE = 1 << 18
"""Parameters beyond which a stack of networks leaves a core's cache."""
_PIECE = 64
"""Examples that are evaluated at once: what convolutions make of them stays in a core's cache."""
_Call = Callable[..., tuple[Tensor, ...]]
"""(one network's weights, its examples, …) → tensors with an entry for each example."""
_DRAWS = -1
"""The part of a step's stream that a network's own measures draw from; dropout's layers have the others."""
_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}


def input_shape(data_spec: DataSpec) -> tuple[tuple[int, ...], ImageShape | None]:
    """The shape in which a network gets an example, and the image that it is, if it is one."""
    image = image_shape(data_spec.row_shape) if data_spec.vocabulary is None else None
    if image is None or image.channels * image.height * image.width != data_spec.features:
        return (data_spec.features,), None
    return (image.channels, image.height, image.width), image


def network_data(data_spec: DataSpec, output: Output) -> NetworkData:
    """What a network is built for."""
    categories = tuple(len(one.categories) for one in data_spec.columns if one.categories is not None)
    return NetworkData(
        input_shape(data_spec)[0],
        output.width,
        data_spec.task,
        len(data_spec.labels),
        categories,
        len(data_spec.indicators),
        data_spec.unit_range,
    )


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
    return {name: tuple(tensor.shape) for name, tensor in (*module.named_parameters(), *_sent(module))}


def _sent(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The buffers that are sent: persistent ones of floating-point numbers."""
    persistent = module.state_dict().keys()
    for name, buffer in module.named_buffers():
        if name in persistent and buffer.is_floating_point():
            yield name, buffer


def _places(module: nn.Module) -> dict[str, list[tuple[dict[str, Any], str]]]:
    """The dictionaries that have each array, by its name, and what it is called there."""
    names = {id(tensor): name for name, tensor in (*module.named_parameters(), *module.named_buffers())}
    found: dict[str, list[tuple[dict[str, Any], str]]] = {name: [] for name in names.values()}
    for one in module.modules():
        for holder in (one._parameters, one._buffers):
            for name, tensor in holder.items():
                if tensor is not None:
                    found[names[id(tensor)]].append((holder, name))
    return found


class OwnNetwork(Network):
    """A module with what training needs of it. Its children and arrays go by their own names.

    Its dropout draws masks from each client's stream; other random layers draw from global generators that are set
    from it. Counters such as `num_batches_tracked` stay where they are and are not sent.
    """

    why_alone: str
    """Why stacks are trained one by one; empty where a stack is one operation."""
    _own: nn.Module
    _data: NetworkData
    _image: ImageShape | None
    _features: int
    _dropouts: list[KeyedDropout]
    _norms: list[_BatchNorm]
    _places: dict[str, list[tuple[dict[str, Any], str]]]
    """Where the module has each of its arrays: tied ones in several places."""
    _random: bool
    _measures: OwnMeasures | None
    _measured: tuple[str, ...]
    """The loss, the objective where it is another one, and metrics of its own."""
    _numbers: int
    _targets: int

    def __init__(self, spec: ModelPart, data_spec: DataSpec, output: Output, key: int, stacked: str = "auto") -> None:
        """`key` decides the weights, `stacked` whether stacks are one operation: `Training.stacking`.

        Raises InputError for a module that gives other outputs than the task has, or cannot be trained here.
        """
        super().__init__()
        image = input_shape(data_spec)[1]
        self.__dict__ |= {"spec": spec, "output": output, "_image": image, "_features": data_spec.features}
        self.__dict__ |= {"_data": network_data(data_spec, output), "_targets": len(data_spec.target_shift)}
        self._take(self._built(key))
        self.__dict__["_random"] = self._probe()
        why = self._why_alone(forced=stacked in ("yes", "right"))
        if stacked == "yes" and why:
            raise InputError(f"{spec.name} cannot be stacked: {why}", "training.stacked")
        self.__dict__["why_alone"] = "as training.stacked says" if stacked == "no" else why
        self.__dict__["stacks"] = not self.why_alone
        self.train()

    def named_buffers(self, *arguments: Any, **options: Any) -> Iterator[tuple[str, Tensor]]:
        """Those that are sent."""
        return _sent(self._own)

    @torch.no_grad()
    def assign(self, weights: Weights) -> None:
        """Copy the arrays, so that tied weights stay tied, and go where they are."""
        self._own.to(next(iter(weights.values())).device)
        for name, tensor in self.arrays().items():
            tensor.copy_(weights[name])

    def initialize(self, generator: torch.Generator) -> None:
        """Build it anew, drawing from global generators that are set from this one."""
        calls_features = self.has_features
        self._take(self._built(generator.initial_seed()))
        self.__dict__["has_features"] = calls_features

    @property
    def numbers_per_example(self) -> int:
        """What its modules give for an example, as it was when it was tried."""
        return self._numbers

    def place(self, device: torch.device) -> None:
        """Move buffers, some of which are not sent; parameters stay, and tied ones tied."""
        for module in self._own.modules():
            for name, buffer in module._buffers.items():
                module._buffers[name] = None if buffer is None else to_device(buffer, device)

    def train(self, mode: bool = True) -> OwnNetwork:
        """Switch the module too."""
        self._own.train(mode)
        super().train(mode)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Outputs for examples `x`: (…, features) → (…, width)."""
        outputs = self._read(self._own(self.shaped(x.reshape(-1, self._features))))
        if self.has_features:
            take_features(self._own)
        return outputs.view(*x.shape[:-1], -1)

    def pass_stack(self, weights: Weights, x: Tensor, step: Step | None = None) -> tuple[Tensor, Tensor | None]:
        """As in Network; no padded example reaches the module, so clients with ragged batches go one by one."""
        found = self._over_stack(self._called, weights, step, x)
        return found[0], found[1] if self.has_features else None

    def losses_stack(
        self, weights: Weights, x: Tensor, y: Tensor, step: Step | None = None, keys: seeds.Streams | None = None
    ) -> Tensor:
        """As in Network."""
        self._switch(step)
        if step is not None:
            streams = step.streams()
            keys = None if streams is None else seeds.bits(seeds.fork(streams, _DRAWS), x.shape[1])
        return self._over_stack(self._losses, weights, step, x, y, *self._drawn(x, keys))[0]

    def measures_stack(self, weights: Weights, x: Tensor, y: Tensor, keys: seeds.Streams) -> Weights:
        """As in Network."""
        self._switch(None)
        call = partial(self._losses, metrics=True)
        found = self._over_stack(call, weights, None, x, y, *self._drawn(x, keys))
        return dict(zip(self._measured, found, strict=True))

    def _switch(self, step: Step | None) -> None:
        """Make it one that is trained, or in use."""
        if self.training != (step is not None):
            self.train(step is not None)

    def _drawn(self, x: Tensor, keys: seeds.Streams | None) -> tuple[Tensor, Tensor]:
        """What its measures draw, normal and uniform numbers (stack, examples, so many), from streams of each example.

        x (stack, examples, features), keys (stack, examples) or (examples,), where all networks get the same.
        """
        assert self._measures is not None, "a network without a loss"
        found = []
        for count, middle, draw in zip(self._measures.draws(), (0.0, 0.5), (normals, uniforms), strict=True):
            if keys is None or not count:
                found.append(x.new_full((*x.shape[:2], count), middle))
                continue
            drawn = draw(keys.reshape(-1), count).view(*keys.shape, count)
            found.append(to_device_of(drawn, x).to(x.dtype).expand(*x.shape[:2], count))
        return found[0], found[1]

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
            with self._drawing(streams, place):
                each.append(self._alone(call, own, step, place, *inputs))
        return tuple(torch.stack(one) for one in zip(*each, strict=True))

    def _losses(self, own: Weights, inputs: Tensor, *others: Tensor, metrics: bool = False) -> tuple[Tensor, ...]:
        """The losses, and metrics, that one network brings, (examples,) each; `others` are targets and what is drawn.

        In the order of their names in `_measured`.
        """
        assert self._measures is not None, "a network without a loss"
        with self._with(own):
            found = self._measures(self.shaped(inputs), *others, metrics=metrics)
        return tuple(found[name] for name in self._measured if name in found)

    def _called(self, own: Weights, inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs of one network (examples, width) and, where it has some, features (examples, numbers)."""
        with self._with(own):
            outputs = self._read(self._own(self.shaped(inputs)))
        if not self.has_features:
            return (outputs,)
        features = take_features(self._own)
        assert features is not None, "a forward pass that does not call features"
        return outputs, features.flatten(1)

    @contextmanager
    def _with(self, own: Weights) -> Iterator[None]:
        """The module has these arrays in the place of its own, as `torch.func.functional_call` gives it, but sooner."""
        before = [(holder, name, holder[name]) for array in own for holder, name in self._places[array]]
        for array, tensor in own.items():
            for holder, name in self._places[array]:
                holder[name] = tensor
        try:
            yield
        finally:
            for holder, name, tensor in before:
                holder[name] = tensor

    def _alone(self, call: _Call, own: Weights, step: Step | None, place: int, *inputs: Tensor) -> tuple[Tensor, ...]:
        """What a call gives for one network of a stack; zeros for padding."""
        examples = inputs[0].shape[1]
        count = examples if step is None else int(step.counts[place])
        size = _PIECE if step is None and not self.stacks else count
        with self._single(count):
            if count <= size:
                found = list(call(own, *(one[place, :count] for one in inputs)))
            else:
                pieces = zip(*(torch.split(one[place, :count], size) for one in inputs), strict=True)
                found = [torch.cat(one) for one in zip(*(call(own, *piece) for piece in pieces), strict=True)]
        padding = examples - count
        return tuple(torch.cat([one, one.new_zeros(padding, *one.shape[1:])]) if padding else one for one in found)

    @contextmanager
    def _drawing(self, streams: seeds.Streams | None, place: int) -> Iterator[None]:
        """One network of a stack draws from its own stream."""
        if not self._random and not self._dropouts:
            yield
            return
        for dropout in self._dropouts:
            dropout.begin(streams, place)
        drawing: AbstractContextManager[None] = nullcontext()
        if self._random and self.training:
            drawing = global_generators(0 if streams is None else int(seeds.bits(streams[place : place + 1], 1)[0, 0]))
        try:
            with drawing:
                yield
        finally:
            for dropout in self._dropouts:
                dropout.end()

    @contextmanager
    def _single(self, examples: int) -> Iterator[None]:
        """Batch normalization of a single example in training takes the running statistics: it has no spread."""
        norms = [module for module in self._norms if module.training] if examples == 1 else []
        for module in norms:
            module.training = False
        try:
            yield
        finally:
            for module in norms:
                module.training = True

    def _built(self, key: int) -> nn.Module:
        with global_generators(key):
            module = self.spec.build(self._data)
        if not isinstance(module, nn.Module):
            raise InputError(
                f"{self.spec.name}: build gave a {type(module).__name__}; expected a torch.nn.Module", "model"
            )
        if any(isinstance(one, _BatchNorm) and one.momentum is None for one in module.modules()):
            raise InputError(f"{self.spec.name}: BatchNorm(momentum=None) counts batches, which is not sent", "model")
        return module.to(DTYPES[self.spec.dtype])

    def _take(self, module: nn.Module) -> None:
        """Share the module's children and arrays, under their names, with its dropout exchanged for ours."""
        dropouts: list[KeyedDropout] = []
        for parent in list(module.modules()):
            for name, child in parent.named_children():
                if isinstance(child, _DropoutNd) and type(child) in DIMENSIONS:
                    dropouts.append(KeyedDropout(child.p, DIMENSIONS[type(child)], len(dropouts)))
                    setattr(parent, name, dropouts[-1])
        self.__dict__ |= {
            "has_features": not has(module, "loss") and keep_features(module),
            "own_loss": has(module, "loss"),
            "_measures": OwnMeasures(module) if has(module, "loss") else None,
            "_own": module,
            "_modules": module._modules,
            "_parameters": module._parameters,
            "_buffers": module._buffers,
            "_non_persistent_buffers_set": module._non_persistent_buffers_set,
            "_dropouts": dropouts,
            "_places": _places(module),
            "_norms": [one for one in module.modules() if isinstance(one, _BatchNorm)],
        }

    @property
    def module(self) -> nn.Module:
        """The module itself."""
        return self._own

    def shaped(self, x: Tensor) -> Tensor:
        """Flat examples (n, features) as the module takes them."""
        if self._image is None:
            return x
        channels, height, width = self._data.shape
        if self._image.channels_last:
            return x.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        return x.reshape(-1, channels, height, width)

    def _read(self, z: Tensor) -> Tensor:
        """Classes are told by their logits; a regression's numbers are what they are."""
        z = z.unsqueeze(-1) if z.dim() == 1 else z
        return self.output.activated(z) if self.output.task == "regression" else z

    def _probe(self) -> bool:
        """Whether its forward pass in training draws from a global generator.

        Raises InputError for a module that does not fit the task.
        """
        x = torch.zeros(2, self._features, dtype=DTYPES[self.spec.dtype])
        name, before = self.spec.name, {key: buffer.clone() for key, buffer in self._own.named_buffers()}
        with torch.no_grad(), global_generators(0):
            self._check_outputs(x)
            state, given = torch.get_rng_state(), 0

            def count(module: nn.Module, inputs: Any, outputs: Any) -> None:
                nonlocal given
                given += sum(one.numel() for one in tree_leaves(outputs) if isinstance(one, Tensor))

            for dropout in self._dropouts:
                dropout.begin(None)
            hooks = [one.register_forward_hook(count) for one in self._own.modules() if not list(one.children())]
            self._own.train()
            if self.output.task != "generation":
                self._own(self.shaped(x))
            if self._measures is not None:
                self._measure(x, metrics=False)
            if self.has_features:
                self.__dict__["has_features"] = take_features(self._own) is not None
            for hook in hooks:
                hook.remove()
            if self._measures is not None:
                self._own.eval()
                measured = self._measure(x, metrics=True)
                own_metrics = tuple(name for name in measured if name not in ("loss", "objective"))
                altered = ("objective",) if "objective" in measured else ()
                self.__dict__ |= {"own_metrics": own_metrics, "_measured": ("loss", *altered, *own_metrics)}
            for dropout in self._dropouts:
                dropout.end()
            self.__dict__["_numbers"] = given // len(x)
            moved = not torch.equal(state, torch.get_rng_state())
        sent = dict(self.named_buffers())
        for key, buffer in self._own.named_buffers():
            changed = not torch.equal(buffer, before[key])
            if changed and key not in sent and not key.endswith("num_batches_tracked"):
                raise InputError(f"{name}: training changes its buffer {key}, which is not sent to the server", "model")
            buffer.copy_(before[key])
        return moved

    def _measure(self, x: Tensor, metrics: bool) -> list[str]:
        """The names of what it measures of examples x (examples, features)."""
        assert self._measures is not None, "a network without a loss"
        drawn = (one[0] for one in self._drawn(x[None], None))
        return self._measures.check(self.spec.name, self.shaped(x), self._zero_targets(len(x)), *drawn, metrics=metrics)

    def _check_outputs(self, x: Tensor) -> None:
        """Raise InputError for outputs for 2 examples that are not what the task has."""
        name = self.spec.name
        if self.output.task == "generation":
            if self._measures is None:
                raise InputError(f"{name} generates examples; expected a module with a method loss(batch)", "model")
            return
        found = self._read(self._own.eval()(self.shaped(x)))
        if found.shape != (2, self.output.width):
            raise InputError(
                f"{name}: its outputs for 2 examples have the shape {tuple(found.shape)}; "
                f"expected {(2, self.output.width)}",
                "model",
            )

    def _zero_targets(self, *examples: int) -> Tensor:
        """Targets of as many examples, as a loss takes them."""
        if self._data.classes:
            return torch.zeros(examples, dtype=torch.int64)
        return torch.zeros(*examples, self._targets, dtype=DTYPES[self.spec.dtype])

    def _why_alone(self, forced: bool) -> str:
        """Why a stack is trained one by one; empty where `torch.func` is right and, unless it is forced, faster."""
        if self._random or self._dropouts:
            return "its random layers draw for each client"
        for module in self._own.modules():
            if not forced and type(module).__module__.startswith("torch.nn") and type(module) not in _STACKED:
                return f"{type(module).__name__} is faster one by one on a CPU"
        if not forced and sum(parameter.numel() for parameter in self.parameters()) > _LARGE:
            return "so large a network is faster one by one on a CPU"
        return self._differs()

    def _differs(self) -> str:
        """How outputs or gradients of a stack of two differ from those one by one; empty where they do not."""
        dtype = DTYPES[self.spec.dtype]
        generator = torch.Generator().manual_seed(0)
        arrays = {name: tensor.detach() for name, tensor in self.arrays().items()}
        x = torch.rand(2, 3, self._features, generator=generator, dtype=dtype)
        call: _Call = self._called
        inputs: tuple[Tensor, ...] = (x,)
        if self._measures is not None:
            keys = seeds.bits(seeds.streams(0, "try", 0, np.arange(2)), 3)
            call, inputs = self._losses, (x, self._zero_targets(2, 3), *self._drawn(x, keys))
        parameters = {name for name, _ in self.named_parameters()}

        def passed(stacked: bool) -> list[Tensor]:
            weights = {
                name: torch.stack([tensor, tensor * 1.1]).requires_grad_(name in parameters)
                for name, tensor in arrays.items()
            }
            self._own.train()
            outputs = vmap(call)(weights, *inputs)[0] if stacked else self._one_by_one(call, weights, None, *inputs)[0]
            leaves = [weights[name] for name in parameters]
            return [outputs.detach(), *torch.autograd.grad((outputs**2).sum(), leaves, allow_unused=True)]

        try:
            for one, other in zip(passed(True), passed(False), strict=True):
                if (one is None) != (other is None) or (one is not None and not _close(one, other)):
                    return "stacked it gives other outputs or gradients"
        except Exception as error:  # whatever a user's module raises under torch.func
            return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        return ""


def _close(one: Tensor, other: Tensor) -> bool:
    """Whether numbers are the same but for rounding, which goes by the largest of them."""
    tolerance = _TOLERANCE[one.dtype]
    return torch.allclose(one, other, tolerance, tolerance * max(1.0, float(other.abs().max())))
