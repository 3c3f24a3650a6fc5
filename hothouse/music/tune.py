"""Tunes as they are written, bar by bar, and in the order in which they are played."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass
class Note:
    """Tones that sound together, or a rest."""

    start: Fraction
    """In whole notes from the beginning of its bar."""
    length: Fraction
    pitches: tuple[int, ...] = ()
    """MIDI's numbers; empty for a rest."""
    tied: bool = False
    """Whether the next note goes on with it."""


@dataclass
class Bar:
    """What stands between two bar lines, and what these say."""

    meter: Fraction | None
    """How long it should be, in whole notes; None for a free meter."""
    notes: list[Note] = field(default_factory=list)
    chords: list[tuple[Fraction, str]] = field(default_factory=list)
    """Names of chords and where they begin."""
    length: Fraction = Fraction(0)
    begins_repeat: bool = False
    ends_repeat: bool = False
    section: bool = False
    """Whether the line behind it is more than a single one: a repeat, a double bar, the end."""
    endings: frozenset[int] = frozenset()
    """The passes in which it is played; empty for all."""


@dataclass
class Tune:
    """A tune as it is written."""

    number: str
    title: str
    bars: list[Bar]
    quarters_per_minute: float = 120.0

    def played(self) -> list[Bar]:
        """The bars in the order in which they sound, with repeats and endings."""
        order: list[Bar] = []
        start, at, number, turns = 0, 0, 1, 0
        while at < len(self.bars):
            bar = self.bars[at]
            if bar.begins_repeat and at != start:
                start, number = at, 1
            if not bar.endings or number in bar.endings:
                order.append(bar)
                again = bar.ends_repeat and number < max(2, *(bar.endings or {2}), self._last_ending(at))
                if again and turns < len(self.bars) * 4:
                    at, number, turns = start, number + 1, turns + 1
                    continue
                if bar.ends_repeat:
                    start, number = at + 1, 1
            at += 1
            # Behind the endings a section of its own begins.
            if at < len(self.bars) and self.bars[at - 1].endings and not self.bars[at].endings and number > 1:
                start, number = at, 1
        return order

    def _last_ending(self, at: int) -> int:
        """The highest pass that has an ending right behind a bar's."""
        highest = 1
        for bar in self.bars[at + 1 :]:
            if not bar.endings:
                break
            highest = max(highest, *bar.endings)
        return highest
