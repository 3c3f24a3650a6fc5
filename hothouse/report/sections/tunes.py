"""Tunes among the texts that a model writes, as piano rolls."""

from __future__ import annotations

from markupsafe import Markup

from hothouse.music.abc import AbcError, read_tune
from hothouse.music.bars import full_bars
from hothouse.music.midi import played_notes
from hothouse.report.parts import part

_WIDTH, _ROW = 640, 5
"""In the units of the picture: how wide it is, and how high a semitone."""


def piano_roll(text: str) -> Markup | None:
    """The notes of a tune in ABC notation, as they are played; None for a text that is no tune."""
    if not text.lstrip().startswith("X:"):
        return None
    try:
        tune = read_tune(text.lstrip())
    except AbcError:
        return None
    notes = played_notes(tune)
    lowest = min(min(pitches) for _, _, pitches in notes)
    highest = max(max(pitches) for _, _, pitches in notes)
    end = max(start + length for start, length, _ in notes)
    scale = _WIDTH / float(end)
    boxes = [
        (f"{float(start) * scale:.2f}", (highest - pitch) * _ROW, f"{max(1.0, float(length) * scale - 0.6):.2f}")
        for start, length, pitches in notes
        for pitch in pitches
    ]
    full, counted = full_bars(tune)
    words = f"{len(notes)} notes as they are played, low ones below; {full} of {counted} bars are full"
    return part("piano_roll", boxes, _WIDTH, (highest - lowest + 1) * _ROW, _ROW, words)
