"""How things travel between a grid and its Ray actors: pickled once and at once, large arrays beside the pickle.

Ray pickles each argument by itself, with a pickler for objects of all kinds that takes several times as long as
Python's own. Bytes and arrays pass it as they are; arrays in its object store are not even copied.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

Packet = bytes | tuple[bytes, list[NDArray[np.uint8]]]
"""A pickle, and the bytes of the arrays that it leaves out."""

_BESIDE = 1 << 15
"""Arrays of at least this many bytes travel beside the pickle."""


def to_packet(thing: Any) -> Packet:
    """An object of importable classes, ready to travel."""
    beside: list[NDArray[np.uint8]] = []

    def inside(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < _BESIDE:
            return True
        beside.append(np.frombuffer(raw, np.uint8))
        return False

    head = pickle.dumps(thing, protocol=5, buffer_callback=inside)
    return (head, beside) if beside else head


def from_packet(packet: Packet) -> Any:
    """What was packed; arrays that travelled beside the pickle are read-only."""
    head, beside = packet if isinstance(packet, tuple) else (packet, [])
    return pickle.loads(head, buffers=beside)
