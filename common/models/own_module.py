"""A module that a network's options built: its arrays, what it draws, and whether it can be trained here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils._pytree import tree_leaves

from common import seeds
from common.data.data_spec import DataSpec
from common.data.images import ImageShape, image_shape
from common.determinism import global_generators
from common.devices import to_device_of
from common.draws import normals_and_uniforms
from common.errors import InputError
from common.models.features import keep_features, take_features
from common.models.keyed_dropout import DIMENSIONS, KeyedDropout
from common.models.layout import Weights
from common.models.network import DTYPES
from common.models.outputs import Output
from common.models.own_measures import OwnMeasures, has
from common.models.stacked_linear import set_stackable
from common.scenario.model import ModelPart, NetworkData


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


def sent_buffers(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The buffers that are sent: persistent ones of floating-point numbers."""
    persistent = module.state_dict().keys()
    for name, buffer in module.named_buffers():
        if name in persistent and buffer.is_floating_point():
            yield name, buffer


class OwnModule:
    """The module of one network.

    Its dropout draws masks from each client's stream; other random layers draw from global generators that are set
    from it.
    """

    has_features: bool
    """Whether its forward calls its own `features`."""
    measures: OwnMeasures | None
    """The loss that it brings, and its metrics."""
    measured: tuple[str, ...] = ()
    """What it measures: the loss, the objective where that is another one, and metrics."""
    numbers: int = 0
    """How many numbers its modules give for an example."""
    stackable: bool = False
    """Whether its dense layers are made for stacks."""
    random: bool = False
    """Whether its forward pass in training draws from a global generator."""

    def __init__(self, spec: ModelPart, data_spec: DataSpec, output: Output, key: int) -> None:
        """`key` decides the weights. Raises InputError for a module that does not fit the task, or cannot be sent."""
        self.spec, self.output, self.dtype = spec, output, DTYPES[spec.dtype]
        self.data, self._image = network_data(data_spec, output), input_shape(data_spec)[1]
        self._features, self._targets = data_spec.features, len(data_spec.target_shift)
        self.build(key)
        self._try()

    def build(self, key: int) -> None:
        """Make it anew, its weights drawn from global generators that are set from `key`."""
        calls_features = getattr(self, "has_features", True)
        with global_generators(key):
            module = self.spec.build(self.data)
        if not isinstance(module, nn.Module):
            raise InputError(
                f"{self.spec.name}: build gave a {type(module).__name__}; expected a torch.nn.Module", "model"
            )
        if any(isinstance(one, _BatchNorm) and one.momentum is None for one in module.modules()):
            raise InputError(f"{self.spec.name}: BatchNorm(momentum=None) counts batches, which is not sent", "model")
        self.module = module.to(self.dtype)
        self.dropouts = _exchanged_dropouts(self.module)
        set_stackable(self.module, self.stackable)
        self.has_features = not has(module, "loss") and keep_features(module) and calls_features
        self.measures = OwnMeasures(module) if has(module, "loss") else None
        self._norms = [one for one in module.modules() if isinstance(one, _BatchNorm)]
        self._places = _places(module)

    def make_stackable(self, stackable: bool) -> None:
        """Let its dense layers be fast in stacks, or one by one."""
        self.stackable = stackable
        set_stackable(self.module, stackable)

    def shaped(self, x: Tensor) -> Tensor:
        """Flat examples (n, features) as the module takes them."""
        if self._image is None:
            return x
        channels, height, width = self.data.shape
        if self._image.channels_last:
            return x.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        return x.reshape(-1, channels, height, width)

    def outputs(self, x: Tensor) -> Tensor:
        """What it gives for examples (n, features): logits of classes, or a regression's numbers, (n, width)."""
        z: Tensor = self.module(self.shaped(x))
        z = z.unsqueeze(-1) if z.dim() == 1 else z
        return self.output.activated(z) if self.output.task == "regression" else z

    def called(self, own: Weights, inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs with these arrays, (examples, width), and, where it has some, features (examples, numbers)."""
        with self._with(own):
            outputs = self.outputs(inputs)
        if not self.has_features:
            return (outputs,)
        features = take_features(self.module)
        assert features is not None, "a forward pass that does not call features"
        return outputs, features.flatten(1)

    def losses(self, own: Weights, inputs: Tensor, *others: Tensor, metrics: bool = False) -> tuple[Tensor, ...]:
        """The losses, and metrics, with these arrays, (examples,) each, in the order of their names in `measured`.

        `others` are targets and what is drawn.
        """
        assert self.measures is not None, "a network without a loss"
        with self._with(own):
            found = self.measures(self.shaped(inputs), *others, metrics=metrics)
        return tuple(found[name] for name in self.measured if name in found)

    def drawn(self, x: Tensor, keys: seeds.Streams | None) -> tuple[Tensor, Tensor]:
        """What its measures draw, normal and uniform numbers (stack, examples, so many), from streams of each example.

        x (stack, examples, features), keys (stack, examples) or (examples,), where all networks get the same.
        """
        assert self.measures is not None, "a network without a loss"
        normal, uniform = self.measures.draws()
        if keys is None:
            return x.new_full((*x.shape[:2], normal), 0.0), x.new_full((*x.shape[:2], uniform), 0.5)
        numbers = normals_and_uniforms(keys.reshape(-1), normal, uniform)
        first, second = (to_device_of(one.view(*keys.shape, -1), x).to(x.dtype) for one in numbers)
        return first.expand(*x.shape[:2], normal), second.expand(*x.shape[:2], uniform)

    def zero_targets(self, *examples: int) -> Tensor:
        """Targets of as many examples, as a loss takes them."""
        if self.data.classes:
            return torch.zeros(examples, dtype=torch.int64)
        return torch.zeros(*examples, self._targets, dtype=self.dtype)

    @contextmanager
    def drawing(self, streams: seeds.Streams | None, place: int) -> Iterator[None]:
        """One network of a stack draws from its own stream."""
        if not self.random and not self.dropouts:
            yield
            return
        for dropout in self.dropouts:
            dropout.begin(streams, place)
        drawing: AbstractContextManager[None] = nullcontext()
        if self.random and self.module.training:
            drawing = global_generators(0 if streams is None else int(seeds.bits(streams[place : place + 1], 1)[0, 0]))
        try:
            with drawing:
                yield
        finally:
            for dropout in self.dropouts:
                dropout.end()

    @contextmanager
    def with_batch_of(self, examples: int) -> Iterator[None]:
        """Batch normalization of a single example in training takes the running statistics: it has no spread."""
        norms = [module for module in self._norms if module.training] if examples == 1 else []
        for module in norms:
            module.training = False
        try:
            yield
        finally:
            for module in norms:
                module.training = True

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

    def _try(self) -> None:
        """Find out what it gives, draws and measures. Raises InputError for a module that does not fit the task."""
        x = torch.zeros(2, self._features, dtype=self.dtype)
        before = {name: buffer.clone() for name, buffer in self.module.named_buffers()}
        with torch.no_grad(), global_generators(0):
            self._check_outputs(x)
            state, given = torch.get_rng_state(), 0

            def count(module: nn.Module, inputs: Any, outputs: Any) -> None:
                nonlocal given
                given += sum(one.numel() for one in tree_leaves(outputs) if isinstance(one, Tensor))

            for dropout in self.dropouts:
                dropout.begin(None)
            hooks = [one.register_forward_hook(count) for one in self.module.modules() if not list(one.children())]
            self.module.train()
            if self.output.task != "generation":
                self.outputs(x)
            if self.measures is not None:
                self._measure(x, metrics=False)
            if self.has_features:
                self.has_features = take_features(self.module) is not None
            for hook in hooks:
                hook.remove()
            if self.measures is not None:
                self.module.eval()
                found = self._measure(x, metrics=True)
                first = [name for name in ("loss", "objective") if name in found]
                self.measured = (*first, *(name for name in found if name not in first))
            for dropout in self.dropouts:
                dropout.end()
            self.numbers = given // len(x)
            self.random = not torch.equal(state, torch.get_rng_state())
        sent = dict(sent_buffers(self.module))
        for name, buffer in self.module.named_buffers():
            changed = not torch.equal(buffer, before[name])
            if changed and name not in sent and not name.endswith("num_batches_tracked"):
                told = f"training changes its buffer {name}, which is not sent to the server"
                raise InputError(f"{self.spec.name}: {told}", "model")
            buffer.copy_(before[name])

    def _measure(self, x: Tensor, metrics: bool) -> list[str]:
        """The names of what it measures of examples x (examples, features)."""
        assert self.measures is not None, "a network without a loss"
        drawn = (one[0] for one in self.drawn(x[None], None))
        return self.measures.check(self.spec.name, self.shaped(x), self.zero_targets(len(x)), *drawn, metrics=metrics)

    def _check_outputs(self, x: Tensor) -> None:
        """Raise InputError for outputs for examples x that are not what the task has."""
        name, expected = self.spec.name, (len(x), self.output.width)
        if self.output.task == "generation":
            if self.measures is None:
                raise InputError(f"{name} generates examples; expected a module with a method loss(batch)", "model")
            return
        self.module.eval()
        found = tuple(self.outputs(x).shape)
        if found != expected:
            raise InputError(
                f"{name}: its outputs for {len(x)} examples have the shape {found}; expected {expected}", "model"
            )


def _exchanged_dropouts(module: nn.Module) -> list[KeyedDropout]:
    """Put ours in the place of a module's dropout layers."""
    dropouts: list[KeyedDropout] = []
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _DropoutNd) and type(child) in DIMENSIONS:
                dropouts.append(KeyedDropout(child.p, DIMENSIONS[type(child)], len(dropouts)))
                setattr(parent, name, dropouts[-1])
    return dropouts


def _places(module: nn.Module) -> dict[str, list[tuple[dict[str, Any], str]]]:
    """The dictionaries that have each array, by its name, and what it is called there; tied ones are in several."""
    names = {id(tensor): name for name, tensor in (*module.named_parameters(), *module.named_buffers())}
    found: dict[str, list[tuple[dict[str, Any], str]]] = {name: [] for name in names.values()}
    for one in module.modules():
        for holder in (one._parameters, one._buffers):
            for name, tensor in holder.items():
                if tensor is not None:
                    found[names[id(tensor)]].append((holder, name))
    return found
