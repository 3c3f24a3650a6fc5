"""How well colours are told apart, as WCAG 2.2 defines it."""

from __future__ import annotations

import re

Colour = tuple[float, ...]
"""Red, green and blue from 0 to 255."""


def colour(text: str) -> Colour:
    """A colour as CSS writes it: #rrggbb, rgb(…) or, without its opacity, rgba(…)."""
    if text.startswith("#"):
        return tuple(int(text[at : at + 2], 16) for at in (1, 3, 5))
    return tuple(float(number) for number in re.findall(r"[\d.]+", text)[:3])


def over(ground: Colour, above: Colour, opacity: float) -> Colour:
    """A colour through which the ground shines."""
    return tuple(low * (1 - opacity) + high * opacity for low, high in zip(ground, above, strict=True))


def contrast(one: Colour, other: Colour) -> float:
    """The ratio of two colours' luminances, from 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(of: Colour) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (x / 255 for x in of)]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
