"""Which cards a run's workers train on: named by number, and shared evenly."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from common.errors import InputError

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def choose_cards(device: str, wanted: Sequence[int] | None) -> tuple[int, ...]:
    """The cards for `training.device`, by number: the wanted ones, else all that are here; none for the CPU.

    Raises InputError for a card that is not here, and for cards that the scenario does not train on.
    """
    if device == "cpu":
        if wanted:
            raise InputError("--gpus needs training.device: cuda or auto (--device); this scenario trains on the CPU")
        return ()
    # PyTorch takes a while to import.
    from common.devices import NO_CARD, card_count

    here = range(card_count())
    if device == "cuda" and not here:
        raise InputError(f"expected cpu or auto: {NO_CARD}", "training.device")
    for number in wanted or ():
        if number not in here:
            there = f"there are cards 0 to {len(here) - 1}" if here else NO_CARD
            raise InputError(f"--gpus {number}: {there}")
    return tuple(here if wanted is None else wanted)


def card_share(cards: int, workers: int) -> float:
    """What part of a card each worker asks Ray for: a whole one, or 1/2, 1/3, … where several share one."""
    return 1 / max(1, -(-workers // cards)) if cards else 0.0


@contextmanager
def only_cards(numbers: Sequence[int]) -> Iterator[None]:
    """While this lasts, processes that are started see these cards alone; without numbers, what they saw before."""
    before = os.environ.get(_VISIBLE)
    if numbers:
        names = [str(number) for number in range(max(numbers) + 1)] if before is None else before.split(",")
        os.environ[_VISIBLE] = ",".join(names[number] for number in numbers)
    try:
        yield
    finally:
        if before is not None:
            os.environ[_VISIBLE] = before
        elif numbers:
            del os.environ[_VISIBLE]
