"""Every random draw of a run, keyed by what it is for.

A draw is named by (seed, purpose, key …), where the key is usually a round and a client. It depends on
nothing else: not on a global generator, not on who draws it, nor in which order. That is why a run repeats
bit for bit with any number of workers, after a worker died and after the run was resumed.

Two kinds of draws exist. `generator` and `torch_generator` give an ordinary generator for one draw at a
time. `streams` and the functions on it draw for thousands of clients in one vectorised call, with the
counter-based SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014,
figure 17): value i of a stream is a hash of its key and i, so that clients can be drawn in any grouping.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Streams = NDArray[np.uint64]
"""One key per client, shape (clients,)."""

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def key(seed: int, purpose: str, *parts: int) -> int:
    """A 64-bit key for the draw named by `seed`, `purpose` and `parts`."""
    name = "/".join([str(seed), purpose, *map(str, parts)])
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def generator(seed: int, purpose: str, *parts: int) -> np.random.Generator:
    """A NumPy generator for the draw named by `seed`, `purpose` and `parts`."""
    return np.random.Generator(np.random.Philox(key(seed, purpose, *parts)))


def torch_generator(seed: int, purpose: str, *parts: int) -> torch.Generator:
    """A PyTorch CPU generator for the draw named by `seed`, `purpose` and `parts`."""
    import torch

    return torch.Generator().manual_seed(key(seed, purpose, *parts) >> 1)


def streams(seed: int, purpose: str, round_number: int, clients: NDArray[np.int64]) -> Streams:
    """One key per client for a draw of this round; each client's depends on its own id alone."""
    base = np.uint64(key(seed, purpose, round_number))
    return _mix(base + (clients.astype(np.uint64) + np.uint64(1)) * _GAMMA)


def fork(keys: Streams, part: int) -> Streams:
    """Further streams from `keys`, one per client, for the `part`-th use (an epoch, a layer, a step)."""
    return _mix(keys ^ np.uint64(_mark(part)))


def forks(keys: Streams, count: int) -> Streams:
    """The streams that `fork` gives for the parts 0 … count − 1, (clients, count)."""
    return _mix(keys[:, None] ^ marks(count))


def marks(count: int) -> Streams:
    """What `fork` combines with a key for the parts 0 … count − 1, shape (count,)."""
    return _marks(1 << max(0, count - 1).bit_length())[:count]


def numbered(keys: Streams, first: int, count: int) -> Streams:
    """Further streams from each of `keys` (any shape), numbered `first` … `first + count - 1`: (*keys.shape, count)."""
    return nth(keys[..., None], np.arange(first, first + count))


def nth(keys: Streams, numbers: NDArray[np.int64]) -> Streams:
    """The stream that `numbered` gives a number, for each of `keys` and `numbers` (of shapes that go together)."""
    return _mix(keys + (numbers.astype(np.uint64) + np.uint64(1)) * _GAMMA)


def bits(keys: Streams, count: int) -> NDArray[np.uint64]:
    """The first `count` values of each stream: 64 random bits each, shape (clients, count)."""
    return numbered(keys, 0, count)


def uniforms(keys: Streams, count: int) -> NDArray[np.float64]:
    """The first `count` uniform numbers in [0, 1) of each stream, shape (clients, count)."""
    return (bits(keys, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def shuffles(keys: Streams, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """A random order of 0 … sizes[c]-1 for each stream c.

    Returns an array of shape (clients, max(sizes)); row c holds its order in the first sizes[c] places and
    the numbers sizes[c] and above behind them.
    """
    longest = int(sizes.max(initial=0))
    # Half the range, so that what lies beyond a client's examples sorts behind them.
    drawn = bits(keys, longest) >> np.uint64(1)
    drawn[np.arange(longest) >= sizes[:, None]] = np.iinfo(np.uint64).max
    return np.argsort(drawn, axis=1, kind="stable")


def _mark(part: int) -> int:
    return key(part, "fork")


@lru_cache(maxsize=4)
def _marks(count: int) -> Streams:
    return np.array([_mark(part) for part in range(count)], dtype=np.uint64)


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    shifted = z >> np.uint64(30)
    z = z ^ shifted
    # What follows takes no further memory: of many numbers it would leave a core's cache.
    z *= _MIX_1
    z ^= np.right_shift(z, np.uint64(27), out=shifted)
    z *= _MIX_2
    z ^= np.right_shift(z, np.uint64(31), out=shifted)
    return z
