"""Reads tunes in ABC notation (standard 2.1), as far as collections of folk tunes use it.

Of the header the reference number, title, meter, unit length, tempo and key are read; in the tune notes, rests, chords
in brackets and in quotes, accidentals, ties, broken rhythm, tuplets, grace notes (which take no time), bar lines,
repeats, first and further endings, and changes of meter, unit length and key. Voices, lyrics and decorations are passed
over.
"""

from __future__ import annotations

import re
from fractions import Fraction

from hothouse.music.harmony import STEPS, signature
from hothouse.music.tune import Bar, Note, Tune

_FIELD = re.compile(r"([A-Za-z+]):(.*)")
_TOKEN = re.compile(
    r'(?P<chord>"[^"\n]*")'
    r"|(?P<field>\[[A-Za-z]:[^\]\n]*\])"
    r"|(?P<decoration>![^!\n]*!|\+[a-z.]+\+|[~.HLMOPSTuv](?=[\"\[^=_A-Ga-g~.]))"
    r"|(?P<grace>\{[^}\n]*\})"
    r"|(?P<bar>:*\|[\]|:]*|::+|\[\||\|\])(?P<ending>[ \t]*\[?[1-9][0-9,-]*(?![/]))?"
    r"|(?P<alone>\[[1-9][0-9,-]*)"
    r"|\((?P<tuplet>[2-9])(?::(?P<into>[2-9])?)?(?::(?P<over>[2-9])?)?"
    r"|(?P<together>\[(?:[+ ]*[\^=_]*[A-Ga-g][,']*[0-9]*/*[0-9]*-?[+ ]*)+\])(?P<length_together>[0-9]*/*[0-9]*)"
    r"|(?P<note>[\^=_]*[A-Ga-g][,']*|[zxZ])(?P<length>[0-9]*/*[0-9]*)"
    r"|(?P<broken>[<>]+)"
    r"|(?P<tie>-)"
    r"|(?P<space>(?:[ \t\\)*`$]|\((?![2-9]))+)"
)
_PITCH = re.compile(r"([\^=_]*)([A-Ga-g])([,']*)([0-9]*/*[0-9]*)")
_ACCIDENTALS = {"^": 1, "^^": 2, "=": 0, "_": -1, "__": -2}


class AbcError(ValueError):
    """What is no ABC notation, with its line."""


def read_tunes(text: str) -> list[Tune]:
    """The tunes in a text, each from a line X: on. Raises AbcError for one that cannot be read."""
    starts = [match.start() for match in re.finditer(r"^X:", text, re.MULTILINE)]
    if not starts:
        raise AbcError("line 1: expected a tune that begins with a line X:")
    ends = [*starts[1:], len(text)]
    return [read_tune(text[start:end]) for start, end in zip(starts, ends, strict=True)]


def read_tune(text: str) -> Tune:
    """A tune from its lines. Raises AbcError for what is none."""
    return _Reader(text).tune()


class _Reader:
    """Goes through a tune's lines."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._number = self._title = ""
        self._meter: Fraction | None = Fraction(1)
        self._unit: Fraction | None = None
        self._signature: dict[str, int] = {}
        self._tempo = 120.0
        self._bars: list[Bar] = []
        self._bar: Bar | None = None
        self._accidentals: dict[str, int] = {}
        self._endings: frozenset[int] = frozenset()
        self._begins = False
        self._tuplet: tuple[int, Fraction] = 0, Fraction(1)
        self._broken = Fraction(0)
        self._line = 0

    def tune(self) -> Tune:
        """All of it."""
        in_header = True
        for number, raw in enumerate(self._lines, start=1):
            self._line = number
            line = raw.partition("%")[0].strip()
            found = _FIELD.fullmatch(line)
            if found is not None and (in_header or found[1] in "MLKQPTNVWwIRrsm+"):
                self._read_field(found[1], found[2].strip())
                in_header = in_header and found[1] != "K"
            elif line and in_header:
                raise AbcError(f"line {self._line}: expected a line K: with the key before {line[:20]!r}")
            elif line:
                self._read_music(line)
        if in_header:
            raise AbcError(f"line {max(1, self._line)}: expected a line K: with the key")
        self._end_bar(section=True)
        if not any(note.pitches for bar in self._bars for note in bar.notes):
            raise AbcError(f"line {self._line}: expected notes")
        return Tune(self._number, self._title, self._bars, self._tempo)

    def _read_field(self, name: str, value: str) -> None:
        match name:
            case "X":
                self._number = value
            case "T":
                self._title = self._title or value
            case "M":
                self._meter = self._read_meter(value)
                if self._bar is not None and not self._bar.notes:
                    self._bar.meter = self._meter
            case "L":
                found = re.fullmatch(r"(\d+)/(\d+)", value)
                if found is None or not int(found[2]) or not int(found[1]):
                    raise AbcError(f"line {self._line}: expected a length such as L:1/8, got {value!r}")
                self._unit = Fraction(int(found[1]), int(found[2]))
            case "K":
                named = signature(value)
                if named is None:
                    raise AbcError(f"line {self._line}: expected a key such as K:G or K:Am, got {value!r}")
                self._signature = named
            case "Q":
                if found := re.search(r"(?:(\d+)/(\d+)\s*=\s*)?(\d+)\s*$", value):
                    beat = Fraction(int(found[1]), int(found[2] or 1) or 1) if found[1] else Fraction(1, 4)
                    self._tempo = float(int(found[3]) * beat * 4) or 120.0

    def _read_meter(self, value: str) -> Fraction | None:
        if value in ("C", "C|", "c", "c|"):
            return Fraction(1)
        if value.lower() in ("none", ""):
            return None
        found = re.fullmatch(r"([\d+() ]+)/(\d+)", value)
        if found is None or not int(found[2]):
            raise AbcError(f"line {self._line}: expected a meter such as M:6/8, got {value!r}")
        beats = sum(int(part) for part in re.findall(r"\d+", found[1]))
        return Fraction(beats, int(found[2])) or None

    @property
    def _default(self) -> Fraction:
        """The unit length: that of L:, else a sixteenth for meters below 3/4 and an eighth for others."""
        if self._unit is not None:
            return self._unit
        return Fraction(1, 16) if self._meter is not None and self._meter < Fraction(3, 4) else Fraction(1, 8)

    def _read_music(self, line: str) -> None:
        at = 0
        while at < len(line):
            found = _TOKEN.match(line, at)
            if found is None:
                raise AbcError(f"line {self._line}: expected notes or bar lines, got {line[at : at + 12]!r}")
            at = found.end()
            self._read(found)

    def _read(self, found: re.Match[str]) -> None:
        part = found.groupdict()
        if part["chord"] is not None:
            bar = self._current()
            bar.chords.append((bar.length, part["chord"].strip('"')))
        elif part["field"] is not None:
            name, _, value = part["field"].strip("[]").partition(":")
            self._read_field(name, value.strip())
        elif part["bar"] is not None:
            self._read_bar(part["bar"], part["ending"])
        elif part["alone"] is not None:
            self._endings = _passes(part["alone"])
            if self._bar is not None and not self._bar.notes:
                self._bar.endings = self._endings
        elif part["tuplet"] is not None:
            self._begin_tuplet(int(part["tuplet"]), part["into"], part["over"])
        elif part["together"] is not None:
            tones = [self._pitch(tone) for tone in _PITCH.finditer(part["together"][1:-1])]
            first = _PITCH.search(part["together"])
            inner = _length(first[4], self._line) if first is not None else Fraction(1)
            self._add(inner * _length(part["length_together"], self._line), tuple(tones))
        elif part["note"] is not None:
            length = _length(part["length"], self._line)
            tone = _PITCH.match(part["note"])
            self._add(length, () if tone is None else (self._pitch(tone),))
        elif part["broken"] is not None:
            self._break(part["broken"])
        elif part["tie"] is not None and self._bar is not None and self._bar.notes:
            self._bar.notes[-1].tied = True

    def _current(self) -> Bar:
        if self._bar is None:
            self._bar = Bar(self._meter, begins_repeat=self._begins, endings=self._endings)
            self._begins = False
        return self._bar

    def _add(self, length: Fraction, pitches: tuple[int, ...]) -> None:
        left, factor = self._tuplet
        duration = length * self._default * (factor if left else 1)
        self._tuplet = max(0, left - 1), factor
        duration *= 1 - self._broken
        self._broken = Fraction(0)
        bar = self._current()
        bar.notes.append(Note(bar.length, duration, pitches))
        bar.length += duration

    def _break(self, signs: str) -> None:
        """Broken rhythm: a>b makes a half as long again and b as much shorter, a<b the other way round."""
        if self._bar is None or not self._bar.notes:
            return
        share = 1 - Fraction(1, 2 ** len(signs))
        change = share if signs[0] == ">" else -share
        note = self._bar.notes[-1]
        self._bar.length += note.length * change
        note.length *= 1 + change
        self._broken = change

    def _begin_tuplet(self, notes: int, into: str | None, over: str | None) -> None:
        """(3abc are three in the time of two; (p:q:r says so of others."""
        compound = self._meter is not None and self._meter.numerator % 3 == 0 and self._meter.denominator >= 8
        usual = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(notes, 3 if compound else 2)
        self._tuplet = int(over or notes), Fraction(int(into or usual), notes)

    def _pitch(self, tone: re.Match[str]) -> int:
        """A tone in the key, with accidentals that hold for the rest of the bar."""
        sign, letter, octaves = tone[1], tone[2], tone[3]
        place = f"{letter}{octaves}"
        if sign:
            self._accidentals[place] = _ACCIDENTALS.get(sign, 0)
        moved = self._accidentals.get(place, self._signature.get(letter.upper(), 0))
        octave = (1 if letter.islower() else 0) + octaves.count("'") - octaves.count(",")
        return 60 + STEPS[letter.upper()] + 12 * octave + moved

    def _read_bar(self, sign: str, ending: str | None) -> None:
        ends = sign.startswith(":")
        section = ends or sign.endswith(":") or "]" in sign or "||" in sign or "[" in sign
        self._end_bar(section or ending is not None, ends)
        if sign.endswith(":"):
            self._begins = True
        if ending is not None:
            self._endings = _passes(ending)
        elif section:
            self._endings = frozenset()

    def _end_bar(self, section: bool, ends_repeat: bool = False) -> None:
        bar, self._bar = self._bar, None
        self._accidentals = {}
        if bar is not None and bar.notes:
            bar.section, bar.ends_repeat = section, ends_repeat
            self._bars.append(bar)
        elif self._bars:
            # An empty bar: two bar lines one after the other say one thing.
            self._bars[-1].section |= section
            self._bars[-1].ends_repeat |= ends_repeat
            self._begins |= bar is not None and bar.begins_repeat


def _length(text: str, line: int) -> Fraction:
    """3/2, /2, //, 2 or nothing, which is 1."""
    if not text:
        return Fraction(1)
    above, slash, below = text.partition("/")
    if not slash:
        found = Fraction(int(above))
    else:
        halves = below.count("/") + 1
        digits = below.strip("/")
        divisor = int(digits) if digits else 2**halves
        if not divisor:
            raise AbcError(f"line {line}: a length divided by 0: {text!r}")
        found = Fraction(int(above or 1), divisor)
    return found


def _passes(text: str) -> frozenset[int]:
    """[1, |2 or [1,3 or [1-3."""
    found: set[int] = set()
    for part in re.findall(r"\d+(?:-\d+)?", text):
        first, _, last = part.partition("-")
        found |= set(range(int(first), min(int(last or first), int(first) + 9) + 1))
    return frozenset(found)
