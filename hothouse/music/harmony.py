"""What ABC's letters sound like: keys, accidentals and the names of chords, as MIDI's numbers (middle C is 60)."""

from __future__ import annotations

import re

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Semitones above C."""
_SHARPS = "FCGDAEB"
"""In the order in which signatures take them; flats come in reverse."""
_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
"""The sharps of a letter's major key; flats below 0."""
_MODES = {
    "maj": 0,
    "ion": 0,
    "": 0,
    "mix": -1,
    "dor": -2,
    "min": -3,
    "m": -3,
    "aeo": -3,
    "phr": -4,
    "loc": -5,
    "lyd": 1,
}
"""How many sharps more a mode has than major on the same tone."""
_KEY = re.compile(r"([A-G])([#b]?)[ \t]*(maj|ion|mix|dor|min|aeo|phr|loc|lyd|m(?![a-z]))?[a-z]*", re.IGNORECASE)
_CHORD = re.compile(r"([A-G])([#b]?)(maj7|m7|min|m|dim|aug|\+|sus4|6|7|9)?(?:/([A-G])([#b]?))?")
_QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "min": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "9": (0, 4, 7, 10, 14),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "6": (0, 4, 7, 9),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "+": (0, 4, 8),
    "sus4": (0, 5, 7),
}


def signature(key: str) -> dict[str, int] | None:
    """Semitones by which a key moves each letter, such as {"F": 1} for G; None for what names no key."""
    if key.strip().lower() in ("", "none", "hp", "hp."):
        return {}
    found = _KEY.match(key.strip())
    if found is None:
        return None
    sharps = _FIFTHS[found[1].upper()] + 7 * {"#": 1, "b": -1, "": 0}[found[2].lower()]
    sharps += _MODES[(found[3] or "").lower()]
    letters = _SHARPS[:sharps] if sharps >= 0 else _SHARPS[sharps:]
    return dict.fromkeys(letters, 1 if sharps >= 0 else -1)


def chord_pitches(name: str) -> tuple[int, ...]:
    """The pitches of a chord such as Am7 or D/F#, its bass first, below middle C; empty for what names none."""
    found = _CHORD.fullmatch(name.strip().replace("♯", "#").replace("♭", "b"))
    if found is None:
        return ()
    root = 48 + STEPS[found[1]] + _moved(found[2])
    bass = root if found[4] is None else 48 + STEPS[found[4]] + _moved(found[5])
    return (bass - 12, *(root + step for step in _QUALITIES[found[3] or ""]))


def _moved(sign: str | None) -> int:
    return {"#": 1, "b": -1}.get(sign or "", 0)
