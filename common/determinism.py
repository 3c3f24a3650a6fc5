"""What makes computations repeat: one thread of arithmetic, and global generators that nothing depends on."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread in PyTorch; afterwards on as many as before."""
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def global_generators(key: int) -> Iterator[None]:
    """Set PyTorch's, NumPy's and Python's global generators from a key; afterwards they are as before."""
    before = _states()
    # torch.manual_seed would do the same, and take milliseconds to note it for cards that may come into use.
    torch.default_generator.manual_seed(key >> 1)
    if len(before[0]) > 1:
        torch.cuda.manual_seed_all(key >> 1)
    np.random.seed(key % 2**32)
    random.seed(key)
    try:
        yield
    finally:
        _put_back(*before)


@contextmanager
def unmoved_generators(what: str) -> Iterator[None]:
    """Warn once where `what` draws from a global generator while this lasts, and put the generator back.

    Its draws depend on what else the process did, so that results do not repeat.
    """
    before = _states()
    try:
        yield
    finally:
        after = _states()
        moved = [
            name
            for name, same in (
                ("PyTorch", all(map(torch.equal, before[0], after[0]))),
                ("NumPy", all(np.array_equal(*pair) for pair in zip(before[1], after[1], strict=True))),
                ("Python", before[2] == after[2]),
            )
            if not same
        ]
        if moved:
            _put_back(*before)
        for name in moved:
            if (what, name) not in _TOLD:
                _TOLD.add((what, name))
                logging.getLogger("hothouse.parts").warning(
                    "%s draws from the global generator of %s: results do not repeat; draw from hothouse.extend.seeds",
                    what,
                    name,
                )


_TOLD: set[tuple[str, str]] = set()


def _states() -> tuple[list[torch.Tensor], Any, Any]:
    """The global generators as they are: PyTorch's of the processor and of cards in use, NumPy's, Python's."""
    cards = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    return [torch.get_rng_state(), *cards], np.random.get_state(), random.getstate()


def _put_back(of_torch: list[torch.Tensor], of_numpy: Any, of_python: Any) -> None:
    torch.set_rng_state(of_torch[0])
    if len(of_torch) > 1:
        torch.cuda.set_rng_state_all(of_torch[1:])
    np.random.set_state(of_numpy)
    random.setstate(of_python)
