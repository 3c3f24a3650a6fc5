"""Where clients' networks are trained: on the processor, or on a card by CUDA."""

from __future__ import annotations

import os

import torch
from torch import Tensor

CPU = torch.device("cpu")
NO_CARD = "PyTorch finds no card here that it can use by CUDA"

# cuBLAS reads it when CUDA starts; without it some of its products round differently from run to run.
if os.environ.get("CUBLAS_WORKSPACE_CONFIG") not in (":4096:8", ":16:8"):
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"


def open_device(name: str) -> torch.device:
    """The device that a message's settings name, cpu or cuda, ready to give the same bits every time.

    On a card: no TF32, and only algorithms that are deterministic; an operation without one raises RuntimeError.
    """
    if name == "cpu":
        return CPU
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)
    return torch.device("cuda", torch.cuda.current_device())


def without_deterministic_form(error: Exception) -> str:
    """The operation that an error of PyTorch's says has no deterministic form on a card; empty for other errors."""
    operation, found, _ = str(error).partition(" does not have a deterministic implementation")
    return operation if found else ""


def card_count() -> int:
    """How many cards this process can use."""
    return torch.cuda.device_count()


def card() -> str:
    """The card that this process computes on and the libraries that its bits depend on; empty where there is none."""
    if not torch.cuda.is_available():
        return ""
    name = torch.cuda.get_device_name(torch.cuda.current_device())
    return f"{name}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"  # type: ignore[no-untyped-call]


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device: itself where it is there. Nothing waits for a card's work."""
    return tensor.to(device, non_blocking=True)


def to_device_of(tensor: Tensor, other: Tensor) -> Tensor:
    """The tensor where another one is."""
    return to_device(tensor, other.device)
