"""A pretended card: tensors that compute on the processor, and mix with its own as little as a real card's do.

Whatever is trained on it gives the processor's bits; what would fail on a real card fails here, what would wait for it
is counted. To be imported before PyTorch computes its first gradient: that starts a thread for each device it knows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from common import devices
from tests.cards import COUNTS


class CardTensor(torch.Tensor):
    """A tensor on the card."""

    raw: torch.Tensor
    """Its numbers."""

    @staticmethod
    def __new__(cls, raw: torch.Tensor) -> CardTensor:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            raw.shape,
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            layout=raw.layout,
            device=torch.device("card:0"),
        )
        made.raw = raw
        return made

    def __init__(self, raw: torch.Tensor) -> None:
        pass

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"CardTensor({self.raw})"

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = function.name(), dict(kwargs or {})
        if name == "aten::_local_scalar_dense":
            COUNTS["waits"] += 1
            return function(args[0].raw)
        if name in ("aten::_to_copy", "aten::copy_"):
            return _copied(function, name, args, kwargs)
        if name in ("aten::nonzero", "aten::masked_select", "aten::equal"):
            COUNTS["waits"] += 1
        if "device" in kwargs:
            kwargs["device"] = devices.CPU

        def raw(value: Any) -> Any:
            if isinstance(value, CardTensor):
                return value.raw
            if isinstance(value, torch.Tensor) and value.dim():
                raise RuntimeError(f"{name}: a tensor of shape {tuple(value.shape)} is not on the card")
            return value

        given = function(*tree_map(raw, args), **tree_map(raw, kwargs))
        wrapped = tree_map(lambda value: cls(value) if isinstance(value, torch.Tensor) else value, given)
        return return_and_correct_aliasing(function, args, kwargs, wrapped)


def _copied(function: Any, name: str, args: Any, kwargs: Any) -> Any:
    """To the card, from it, or to another dtype."""
    if name == "aten::copy_":
        into, source = args[0], args[1]
        if not isinstance(into, CardTensor):
            COUNTS["waits"] += 1
        elif not isinstance(source, CardTensor):
            COUNTS["moves"] += 1
            COUNTS["bytes"] += source.numel() * source.element_size()
            COUNTS["waits"] += not (kwargs.get("non_blocking") or args[2:] == (True,))
        function(*(tensor.raw if isinstance(tensor, CardTensor) else tensor for tensor in (into, source)))
        return into
    (source,), wanted = args, kwargs.pop("device", None)
    there = isinstance(source, CardTensor)
    to_card = there if wanted is None else torch.device(wanted).type == "card"
    if there and not to_card:
        COUNTS["waits"] += 1
    copied = function(source.raw if there else source, **kwargs, device=devices.CPU)
    return CardTensor(copied) if to_card else copied


_library = torch.library.Library("aten", "IMPL")


def _empty(size: Any, dtype: Any = None, **options: Any) -> CardTensor:
    return CardTensor(torch.empty(size, dtype=dtype))


def _empty_strided(size: Any, stride: Any, dtype: Any = None, **options: Any) -> CardTensor:
    return CardTensor(torch.empty_strided(size, stride, dtype=dtype))


_setup_privateuseone_for_python_backend("card")
_library.impl("empty.memory_format", _empty, "PrivateUse1")
_library.impl("empty_strided", _empty_strided, "PrivateUse1")
