"""How many of a tune's bars are full: as long as the meter in force says."""

from __future__ import annotations

from fractions import Fraction

from hothouse.music.tune import Bar, Tune


def full_bars(tune: Tune) -> tuple[int, int]:
    """How many bars are full, and how many count; bars in a free meter do not.

    A tune is a row of pieces between bar lines. A piece shorter than the meter that begins the tune, or stands behind
    a line of a section (a repeat, a double bar, an ending), is a pickup and does not count. A shorter piece before such
    a line is full if together with a pickup it is as long as the meter: that of its own section, to which a repeat goes
    back, or that behind the line. All other pieces count, and are full if they are exactly as long.
    """
    full = counted = 0
    pickup = Fraction(0)
    begins = True
    for at, bar in enumerate(tune.bars):
        following = tune.bars[at + 1] if at + 1 < len(tune.bars) else None
        if bar.meter is None:
            begins = bar.section
            continue
        if begins and not bar.endings:
            pickup = bar.length if bar.length < bar.meter else Fraction(0)
        if begins and bar.length < bar.meter and not bar.section:
            begins = False
            continue
        counted += 1
        full += _is_full(bar, pickup, following)
        begins = bar.section
    return full, counted


def _is_full(bar: Bar, pickup: Fraction, following: Bar | None) -> bool:
    if bar.length == bar.meter:
        return True
    if not bar.section or bar.meter is None:
        return False
    behind = following.length if following is not None else Fraction(0)
    return bar.length + pickup == bar.meter or (following is not None and bar.length + behind == bar.meter)
