"""Memory that a grid shares with its actors on the same machine: large arrays are left there, not sent.

Ray's object store takes several milliseconds for a message of some megabytes, and ends a process that holds
something of it, without a word, when the raylet dies. A buffer is an anonymous file in memory which the grid makes and
an actor maps, once for many messages: an answer costs one copy, and nothing is left behind by whoever dies.
"""

from __future__ import annotations

import itertools
import mmap
import os
import weakref
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.grid.wire import Packet

_SIZE = 1 << 28
"""Bytes of a buffer: room only, memory is taken where something is written. What does not fit stays in the message."""
_LEAST = 1 << 17
"""Bytes that are worth a buffer: fewer are as quick in the message."""
_KEPT = 1 << 26
"""Bytes of memory that an unused buffer may hold on to."""
_LINE = 64
"""Arrays begin at multiples of this many bytes."""
_numbers = itertools.count()


class BufferPlace(NamedTuple):
    """Where another process finds a buffer."""

    process: int
    descriptor: int
    number: int
    """No other buffer has it: descriptors are used again."""


class BufferedPacket(NamedTuple):
    """A packet whose arrays lie on a buffer."""

    head: bytes
    place: BufferPlace
    spans: list[tuple[int, int]]
    """Where each array begins and ends."""


@dataclass(frozen=True)
class SharedBuffer:
    """One that this process has made."""

    place: BufferPlace
    memory: mmap.mmap

    @classmethod
    def new(cls) -> SharedBuffer:
        """An empty one. Raises OSError where there is none to be had."""
        descriptor = os.memfd_create("hothouse-buffer")
        os.ftruncate(descriptor, _SIZE)
        return cls(BufferPlace(os.getpid(), descriptor, next(_numbers)), mmap.mmap(descriptor, _SIZE))

    def close(self) -> None:
        """Give its memory back, whoever has it mapped; a process forked from this one has no say in it."""
        if os.getpid() == self.place.process:
            os.ftruncate(self.place.descriptor, 0)
            os.close(self.place.descriptor)

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return 512 * os.fstat(self.place.descriptor).st_blocks


class SharedBuffers:
    """Those of a grid: made as they are needed, and used again once nobody looks at what is on them."""

    def __init__(self, spare: int, on: bool = True) -> None:
        """At most `spare` unused ones are kept; there are none unless `on`."""
        self._spare, self._free = spare, list[SharedBuffer]()
        self.on = on and hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir()

    def blank(self) -> SharedBuffer | None:
        """One to write on; None where this system has none."""
        if self._free:
            return self._free.pop()
        try:
            return SharedBuffer.new() if self.on else None
        except OSError:
            self.on = False
            return None

    def read(self, written: BufferedPacket, buffer: SharedBuffer) -> Packet:
        """What an actor has written on a buffer, as it lies there; afterwards the buffer is blank again."""
        whole = np.frombuffer(buffer.memory, np.uint8)
        whole.flags.writeable = False
        # Not at the process's end: arrays may be looked at until the very last.
        weakref.finalize(whole, self.wipe, buffer).atexit = False
        return written.head, [whole[begin:end] for begin, end in written.spans]

    def wipe(self, buffer: SharedBuffer) -> None:
        """What is on it is needed no longer."""
        if self.on and len(self._free) < self._spare and buffer.bytes <= _KEPT:
            self._free.append(buffer)
        else:
            buffer.close()

    def close(self) -> None:
        """Make no more, and let go of those that are blank."""
        self.on = False
        while self._free:
            self._free.pop().close()


def write(packet: Packet, place: BufferPlace, memory: mmap.mmap | None = None) -> Packet | BufferedPacket:
    """Leave a packet's arrays on a buffer, which the process that made it knows as `memory`.

    Those that are not worth it, or do not fit, stay in the packet.
    """
    if not isinstance(packet, tuple):
        return packet
    head, arrays = packet
    ends = np.cumsum([-(-array.nbytes // _LINE) * _LINE for array in arrays]).tolist()
    if not _LEAST <= ends[-1] <= _SIZE:
        return packet
    whole = np.frombuffer(memory or _mapped(place), np.uint8)
    spans = [(begin, begin + array.nbytes) for begin, array in zip([0, *ends], arrays, strict=False)]
    for (begin, end), array in zip(spans, arrays, strict=True):
        whole[begin:end] = array
    return BufferedPacket(head, place, spans)


def copied(written: BufferedPacket) -> Packet:
    """A packet of its own from what another process has written. Raises OSError where the buffer cannot be had."""
    whole = np.frombuffer(_mapped(written.place), np.uint8)
    arrays: list[NDArray[np.uint8]] = [whole[begin:end].copy() for begin, end in written.spans]
    return written.head, arrays


@lru_cache(maxsize=128)
def _mapped(place: BufferPlace) -> mmap.mmap:
    """Another process's buffer. Mapped anew for each message it would cost as much as the message."""
    descriptor = os.open(f"/proc/{place.process}/fd/{place.descriptor}", os.O_RDWR | os.O_CLOEXEC)
    try:
        return mmap.mmap(descriptor, _SIZE)
    finally:
        os.close(descriptor)
