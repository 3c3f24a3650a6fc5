"""Pictures as a viewer shows them: upright, in 8 bits, transparent parts on white; whatever format they are in."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

_OTHER_PROGRAMS = {"EPS", "WMF", "PDF", "BUFR", "GRIB", "HDF5", "MPEG", "FPX", "MIC"}
"""Formats for which Pillow starts another program, or has no decoder of its own."""
_GREY = ("1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N", "I")
"""Modes without colour (Pillow's handbook, concepts: modes)."""
_CLEAR = ("LA", "La", "RGBA", "RGBa", "PA")


@dataclass
class Pictures:
    """Reads pictures and counts what a user should know of how they were read."""

    noticed: Counter[str] = field(default_factory=Counter)

    def read(self, source: Path | bytes, where: str, color: str = "auto", size: tuple[int, int] | None = None) -> Any:
        """A picture as bytes, (height, width) or (height, width, 3); `where` stands in messages.

        `color` is grey, rgb, or auto: as the picture is. `size` is the (width, height) to bring it to.
        Raises InputError for what is no picture or a damaged one, and for numbers whose black and white nobody knows.
        """
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=formats()) as picture:
                shown = self._displayed(picture, where)
        except UnidentifiedImageError:
            raise InputError(f"{where}: not a picture in a format that Pillow reads by itself") from None
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            raise InputError(f"{where}: damaged picture ({error})") from None
        if color != "auto":
            shown = shown.convert("L" if color == "grey" else "RGB")
        if size is not None and shown.size != size:
            shown = shown.resize(size, Image.Resampling.BILINEAR)
        pixels: NDArray[np.uint8] = np.asarray(shown)
        return pixels

    def hints(self, origin: str) -> list[str]:
        """What was noticed, a sentence each."""
        return [f"{origin}: {count} pictures {what}" for what, count in sorted(self.noticed.items())]

    def _displayed(self, picture: Image, where: str) -> Image:
        """The picture of mode L or RGB that a viewer shows. Raises InputError where that is not known."""
        from PIL import Image, ImageOps

        if getattr(picture, "n_frames", 1) > 1:
            self.noticed["have several frames; the first is read"] += 1
        if picture.getexif().get(_ORIENTATION, 1) != 1:
            self.noticed["are stored turned; they are read upright"] += 1
        upright = ImageOps.exif_transpose(picture)
        if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):
            return self._from_deep(upright, picture.format == "PNG", where)
        grey = upright.mode in _GREY
        if upright.mode in _CLEAR or "transparency" in upright.info:
            self.noticed["have transparent parts, which are laid on white"] += 1
            clear = upright.convert("RGBA")
            ground = Image.new("RGBA", clear.size, "white")
            upright = Image.alpha_composite(ground, clear)
        try:
            return upright.convert("L" if grey else "RGB")
        except (ValueError, OSError):
            raise InputError(
                f"{where}: a picture of mode {upright.mode}, which is not supported; save it as RGB"
            ) from None

    def _from_deep(self, picture: Image, png: bool, where: str) -> Image:
        """A grey picture of 16 bits in 8: 65,535 is white."""
        from PIL import Image

        numbers = np.asarray(picture)
        # PNG has no more than 16 bits; elsewhere nobody knows what is white.
        if picture.mode == "F" or (picture.mode == "I" and not png):
            raise InputError(f"{where}: a picture of {numbers.dtype}, whose white is not known; save it as 8 or 16 bit")
        if numbers.min(initial=0) < 0 or numbers.max(initial=0) > 65535:
            raise InputError(f"{where}: a picture with numbers beyond 16 bit; save it as 8 or 16 bit")
        self.noticed["are of 16 bit and are read as 8"] += 1
        return Image.fromarray(np.rint(numbers.astype(np.float64) / 257).astype(np.uint8))


_ORIENTATION = 0x0112
"""The tag of Exif (Exif 2.3, table 4)."""


@cache
def formats() -> tuple[str, ...]:
    """The formats that Pillow reads by itself."""
    from PIL import Image

    Image.init()
    return tuple(sorted(set(Image.OPEN) - _OTHER_PROGRAMS))


@cache
def suffixes() -> frozenset[str]:
    """The suffixes of files in these formats, such as .png."""
    from PIL import Image

    known = set(formats())
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in known)
