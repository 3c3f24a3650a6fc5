"""Random damage to files, the same for the same generator: what bad disks, networks and people do."""

from __future__ import annotations

import random

_ODD = [
    b"",
    b"\0",
    b"NaN",
    b"-1",
    b"1e999",
    b"null",
    b"[]",
    b"{}",
    b'"x"',
    b"\\ud800",
    b"\xff",
    b"\n",
    b"../../x",
    b"0" * 400,
]


def mutated(rng: random.Random, content: bytes) -> bytes:
    """The content with a few bytes changed, a piece cut out, doubled or replaced, or its end missing."""
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(content) + 1)
        end = min(len(content), start + rng.choice([0, 1, 8, 64, 4096]))
        piece = content[start:end]
        kind = rng.choice(["flip", "odd", "cut", "double", "end", "number"])
        if kind == "flip":
            piece = bytes(byte ^ (1 << rng.randrange(8)) for byte in piece)
        elif kind == "odd":
            piece = rng.choice(_ODD)
        elif kind == "cut":
            piece = b""
        elif kind == "double":
            piece *= 2
        elif kind == "end":
            return content[:start]
        else:
            # A value of JSON or YAML in place of another.
            start = max(content.rfind(mark, 0, start) for mark in (b":", b"[", b",")) + 1
            ends = [place for mark in (b",", b"}", b"]", b"\n") if (place := content.find(mark, start)) >= 0]
            end, piece = min(ends, default=len(content)), b" " + rng.choice(_ODD)
        content = content[:start] + piece + content[end:]
    return content
