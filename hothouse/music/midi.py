"""Tunes as MIDI: the melody, and behind it the chords that stand in quotes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction

from common.errors import InputError
from hothouse.music.harmony import chord_pitches
from hothouse.music.tune import Tune

_TICKS = 480
"""Of a quarter note."""
_MELODY, _CHORDS = 90, 55
"""How loud both are, of 127."""
_PAUSE = Fraction(1)
"""Between two tunes, in whole notes."""
_Sound = tuple[Fraction, Fraction, tuple[int, ...], int]
"""Where it begins and ends, in whole notes, its pitches and how loud they are."""


def midi_file(tunes: Sequence[Tune]) -> bytes:
    """The tunes one after the other as a standard MIDI file, as they are played. Raises InputError without mido."""
    try:
        import mido
    except ImportError:
        raise InputError("MIDI needs the package mido: pip install 'hothouse[music]'") from None
    file = mido.MidiFile(ticks_per_beat=_TICKS)
    tempo, melody, chords = (mido.MidiTrack() for _ in range(3))
    file.tracks += [tempo, melody, chords]
    sounds: list[list[_Sound]] = [[], []]
    at, changed = Fraction(0), Fraction(0)
    for tune in tunes:
        beat = mido.bpm2tempo(tune.quarters_per_minute)
        tempo.append(mido.MetaMessage("set_tempo", tempo=beat, time=_ticks(at) - _ticks(changed)))
        changed = at
        played, end = played_notes(tune), at
        for start, length, pitches in played:
            end = max(end, at + start + length)
            sounds[0].append((at + start, at + start + length, pitches, _MELODY))
        sounds[1] += [(at + a, at + b, chord_pitches(name), _CHORDS) for a, b, name in played_chords(tune)]
        at = end + _PAUSE
    for channel, (track, own) in enumerate(zip((melody, chords), sounds, strict=True)):
        _write(track, own, channel)
    into = io.BytesIO()
    file.save(file=into)
    return into.getvalue()


def played_notes(tune: Tune) -> list[tuple[Fraction, Fraction, tuple[int, ...]]]:
    """When each note of a tune begins, how long it sounds, and its pitches; ties joined, rests left out."""
    found: list[tuple[Fraction, Fraction, tuple[int, ...]]] = []
    at, tied = Fraction(0), False
    for bar in tune.played():
        for note in bar.notes:
            if tied and found and found[-1][2] == note.pitches:
                start, length, pitches = found[-1]
                found[-1] = (start, length + note.length, pitches)
            elif note.pitches:
                found.append((at + note.start, note.length, note.pitches))
            tied = note.tied
        at += bar.length
    return found


def played_chords(tune: Tune) -> list[tuple[Fraction, Fraction, str]]:
    """When each chord of a tune begins and ends, and its name: it holds until the next, or to the end."""
    begins: list[tuple[Fraction, str]] = []
    at = Fraction(0)
    for bar in tune.played():
        begins += [(at + start, name) for start, name in bar.chords if chord_pitches(name)]
        at += bar.length
    ends = [*(start for start, _ in begins[1:]), at]
    return [(start, end, name) for (start, name), end in zip(begins, ends, strict=True) if end > start]


def _write(track: list[object], sounds: list[_Sound], channel: int) -> None:
    import mido

    # What ends comes before what begins at the same time.
    events = sorted(
        (tick, on, pitch, loud)
        for start, end, pitches, loud in sounds
        for pitch in pitches
        if 0 <= pitch < 128
        for tick, on in ((_ticks(start), 1), (_ticks(end), 0))
    )
    before = 0
    for tick, on, pitch, loud in events:
        kind, velocity = ("note_on", loud) if on else ("note_off", 0)
        track.append(mido.Message(kind, note=pitch, velocity=velocity, channel=channel, time=tick - before))
        before = tick


def _ticks(whole_notes: Fraction) -> int:
    return round(whole_notes * 4 * _TICKS)
