"""Tunes in ABC notation, beside the standard's own definitions, another reader, and MIDI read back."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from hothouse.music.abc import AbcError, read_tune, read_tunes
from hothouse.music.bars import full_bars
from hothouse.music.harmony import chord_pitches, signature
from hothouse.music.midi import midi_file, played_chords, played_notes
from hothouse.music.tune import Tune

F = Fraction
NOTTINGHAM = Path(__file__).parents[3] / "shared" / "data" / "nottingham_abc.txt"


def tune(music: str, *fields: str) -> Tune:
    lines = ["X:1", "T:A tune", *(fields or ("M:4/4", "L:1/8")), "K:C"]
    return read_tune("\n".join([*(line for line in lines if not (line == "K:C" and "K:" in "".join(fields))), music]))


def written(music: str, *fields: str) -> list[tuple[tuple[int, ...], F]]:
    return [(note.pitches, note.length * 8) for bar in tune(music, *fields).bars for note in bar.notes]


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("C D2 E/2 F/ G// A3/2", [(60, 1), (62, 2), (64, F(1, 2)), (65, F(1, 2)), (67, F(1, 4)), (69, F(3, 2))]),
        ("C, c c' B,,", [(48, 1), (72, 1), (84, 1), (47, 1)]),
        ("^F F =F _B B|F", [(66, 1), (66, 1), (65, 1), (70, 1), (70, 1), (65, 1)]),
        ("(3CDE F", [(60, F(2, 3)), (62, F(2, 3)), (64, F(2, 3)), (65, 1)]),
        ("(2CD (4CDEF", [(60, F(3, 2)), (62, F(3, 2)), (60, F(3, 4)), (62, F(3, 4)), (64, F(3, 4)), (65, F(3, 4))]),
        ("A>B C<D", [(69, F(3, 2)), (71, F(1, 2)), (60, F(1, 2)), (62, F(3, 2))]),
        ("{g}A ~B !trill!c .d", [(69, 1), (71, 1), (72, 1), (74, 1)]),
        ("(CD) E\\", [(60, 1), (62, 1), (64, 1)]),
        ("[L:1/4]C", [(60, 2)]),
    ],
)
def test_notes_are_what_the_standard_says(music: str, expected: list[tuple[int, F]]) -> None:
    assert written(music) == [((pitch,), F(length)) for pitch, length in expected]


def test_tones_together_rests_and_a_key() -> None:
    assert written("[CEG]2 z2 x") == [((60, 64, 67), 2), ((), 2), ((), 1)]
    assert written("F f ^c =c", "K:D") == [((66,), 1), ((78,), 1), ((73,), 1), ((72,), 1)]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("G", {"F": 1}),
        ("Am", {}),
        ("F#m", {"F": 1, "C": 1, "G": 1}),
        ("Bb", {"B": -1, "E": -1}),
        ("D dorian", {}),
        ("Emix", {"F": 1, "C": 1, "G": 1}),
        ("Gmaj", {"F": 1}),
        ("none", {}),
        ("8", None),
    ],
)
def test_keys(key: str, expected: dict[str, int] | None) -> None:
    assert signature(key) == expected


def test_chords() -> None:
    assert chord_pitches("Am7") == (45, 57, 60, 64, 67)
    assert chord_pitches("D/F#") == (42, 50, 54, 57)
    assert chord_pitches("very fast") == ()


@pytest.mark.parametrize(
    ("fields", "unit"), [(("M:6/8",), F(1, 8)), (("M:2/4",), F(1, 16)), (("M:C|",), F(1, 8)), (("M:3/4",), F(1, 8))]
)
def test_the_unit_length_follows_from_the_meter(fields: tuple[str, ...], unit: F) -> None:
    assert tune("C", *fields).bars[0].notes[0].length == unit


def order(music: str) -> str:
    """The first tone of each bar as it is played."""
    names = "CDEFGAB"
    return "".join(names[[60, 62, 64, 65, 67, 69, 71].index(bar.notes[0].pitches[0])] for bar in tune(music).played())


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("C8|D8|E8", "CDE"),
        ("|:C8|D8:|E8|", "CDCDE"),
        ("C8|D8:|E8|F8:|", "CDCDEFEF"),
        ("|:C8::D8:|", "CCDD"),
        ("|:C8|[1D8:|[2E8||F8|", "CDCEF"),
        ("|:C8|1 D8:|2 E8|]F8|", "CDCEF"),
        ("|:C8|[1D8:|[2E8||F8:|", "CDCEFF"),
        ("|:C8|[1,2D8:|[3E8|]", "CDCDCE"),
    ],
)
def test_repeats_and_endings_are_played(music: str, expected: str) -> None:
    assert order(music) == expected


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("C8|D8|E8|", (3, 3)),
        ("C8|D7|E8|", (2, 3)),
        # A pickup of 2 and a last bar of 6.
        ("C2|D8|E6|]", (2, 2)),
        ("|:C2|D8|E6:|F2|G8|A6|]", (4, 4)),
        ("|:C2|D8|E5:|", (1, 2)),
        # The second section has its pickup behind the line.
        ("C8|D6||E2|F8|]", (3, 3)),
        ("C8|[M:3/4]D6|E8|", (2, 3)),
        ("[M:none]C3|D9|", (0, 0)),
    ],
)
def test_full_bars_are_counted_by_their_rule(music: str, expected: tuple[int, int]) -> None:
    assert full_bars(tune(music)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("M:3/4\nabc", "expected a tune that begins with a line X:"),
        ("X:1\nT:no key\nabc|", "line 3: expected a line K: with the key before 'abc|'"),
        ("X:1\nK:G\nab&c|", "line 3: expected notes or bar lines, got '&c|'"),
        ("X:1\nM:x\nK:G\nabc|", "line 2: expected a meter such as M:6/8, got 'x'"),
        ("X:1\nL:8\nK:G\nabc|", "line 2: expected a length such as L:1/8, got '8'"),
        ("X:1\nK:8\nabc|", "line 2: expected a key such as K:G or K:Am, got '8'"),
        ("X:1\nK:G\na/0|", "line 3: a length divided by 0"),
        ("X:1\nK:G\n|z|", "line 3: expected notes"),
    ],
)
def test_what_is_no_tune_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(AbcError, match=re.escape(message)):
        read_tunes(text)


def test_midi_has_the_notes_as_they_are_played() -> None:
    from mido import MidiFile

    made = tune('"C"C2-C2 "G7"z2 G2:|', "M:4/4", "L:1/8", "Q:1/4=90")
    assert played_notes(made) == [(F(bar), F(1, 2), (60,)) if not late else (F(bar) + F(3, 4), F(1, 4), (67,))
                                  for bar in (0, 1) for late in (False, True)]  # fmt: skip
    assert played_chords(made)[:2] == [(F(0), F(1, 2), "C"), (F(1, 2), F(1), "G7")]
    file = MidiFile(file=io.BytesIO(midi_file([made])))
    tempo, melody, chords = file.tracks
    assert tempo[0].tempo == round(60e6 / 90)
    at, sounding = 0, []
    for message in melody:
        at += message.time
        if message.type in ("note_on", "note_off"):
            sounding.append((message.type, message.note, at))
    assert sounding == [
        (kind, pitch, bar * 1920 + tick)
        for bar in (0, 1)
        for kind, pitch, tick in (
            ("note_on", 60, 0),
            ("note_off", 60, 960),
            ("note_on", 67, 1440),
            ("note_off", 67, 1920),
        )
    ]
    assert {message.note for message in chords if message.type == "note_on"} == {36, 48, 52, 55, 43, 59, 62, 65}
    assert file.length == pytest.approx(2 * 4 * 60 / 90)


def collection() -> Iterator[str]:
    if not NOTTINGHAM.exists():
        pytest.skip("needs the Nottingham collection beside the checkout")
    yield from re.split(r"(?m)^(?=X:)", NOTTINGHAM.read_text())[1:]


@pytest.mark.slow
def test_a_whole_collection_is_read() -> None:
    """One of its 1,034 tunes has a bracket that nothing closes. Nearly all bars of the others are full."""
    full = counted = wrong = 0
    for text in collection():
        try:
            own, count = full_bars(read_tune(text))
        except AbcError:
            wrong += 1
            continue
        full, counted = full + own, counted + count
    assert wrong == 1
    assert full / counted > 0.985


@pytest.mark.slow
def test_notes_are_those_of_another_reader() -> None:
    """music21 ends an accidental with its note, the standard with the bar: bars with some are compared by length."""
    music21 = pytest.importorskip("music21")
    for text in random.Random(3).sample(list(collection()), 25):
        stream = music21.converter.parse(text, format="abc").flatten()
        theirs = [
            (tuple(sorted(pitch.midi for pitch in note.pitches)), F(note.quarterLength).limit_denominator(192) / 4)
            for note in stream.notesAndRests
            if not isinstance(note, music21.harmony.Harmony) and not note.duration.isGrace
        ]
        mine = [(note.pitches, note.length) for bar in read_tune(text).bars for note in bar.notes]
        assert [length for _, length in theirs] == [length for _, length in mine], text
        if not re.search(r"[\^=_]", text):
            assert [pitches for pitches, _ in theirs] == [tuple(sorted(pitches)) for pitches, _ in mine], text
