"""Augmentations of texts against examples written by hand, and against how often each thing is to happen."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import seeds
from common.augmentation import synonyms, texts
from common.augmentation.texts import neighbours
from common.draws import TextRandom
from common.scenario.augmentation import AUGMENTATIONS, TextAugmentation
from tests.pipelines import on_texts

TEXTS = [name for name, part in AUGMENTATIONS.parts.items() if issubclass(part, TextAugmentation)]


class ScriptedRandom(TextRandom):
    """Draws the numbers that it is given."""

    def __init__(self, *numbers: float) -> None:
        self._numbers = list(numbers)

    def uniform(self) -> float:
        return self._numbers.pop(0)

    def hits(self, count: int, rate: float) -> Any:
        """Each number below `rate` is a hit."""
        return [at for at in range(count) if self.uniform() < rate]


HIT, MISS = 0.0, 0.9


def test_dice_draw_the_numbers_of_their_stream() -> None:
    key = seeds.streams(3, "augmentation", 1, np.array([5]))
    dice = TextRandom(int(key[0]))
    assert [dice.uniform() for _ in range(10)] == seeds.uniforms(key, 10)[0].tolist()


def test_hits_are_independent_and_as_likely_as_said() -> None:
    counts, both = Counter[int](), 0
    for key in range(20_000):
        hits = set(TextRandom(key * 2**40).hits(4, 0.3))
        counts.update(hits)
        both += {1, 2} <= hits
    for place in range(4):
        assert counts[place] / 20_000 == pytest.approx(0.3, abs=0.015)
    assert both / 20_000 == pytest.approx(0.09, abs=0.01)
    assert list(TextRandom(1).hits(5, 0.0)) == []
    assert list(TextRandom(1).hits(5, 1.0)) == [0, 1, 2, 3, 4]


def test_orders_are_permutations_and_even() -> None:
    orders = Counter(tuple(TextRandom(key * 2**40).order(3)) for key in range(6000))
    assert len(orders) == 6
    # Chi-squared with 5 degrees of freedom: 20.5 is exceeded once in a thousand.
    assert sum((count - 1000) ** 2 / 1000 for count in orders.values()) < 20.5


@pytest.mark.parametrize(
    ("change", "letter", "expected"),
    [(0.0, None, "hello wrld"), (0.25, 0.0, "hello wohrld"), (0.5, 0.99, "hello wdrld"), (0.75, None, "hello wrold")],
)
def test_character_noise(change: float, letter: float | None, expected: str) -> None:
    drawn = [MISS] * 7 + [HIT] + [MISS] * 3 + [change] + ([] if letter is None else [letter])
    assert texts.CharacterNoise().change("hello world", ScriptedRandom(*drawn)) == expected


def test_character_noise_lets_spaces_alone() -> None:
    found = on_texts(["a b  c\td"] * 500, {"kind": "character_noise", "rate": 1.0})
    assert {"".join(char for char in text if char.isspace()) for text in found} == {"   \t"}


def test_character_noise_changes_places_across_a_space() -> None:
    drawn = [MISS, HIT] + [MISS] * 4 + [0.75]
    assert texts.CharacterNoise().change("ab  cd", ScriptedRandom(*drawn)) == "ac  bd"
    assert texts.CharacterNoise().change("a ", ScriptedRandom(HIT, MISS, 0.75)) == "a "


@pytest.mark.parametrize(
    ("layout", "key", "near"),
    [
        ("qwerty", "g", "tyfhvb"),
        ("qwerty", "a", "qwsz"),
        ("qwerty", "p", "0ol"),
        ("qwertz", "z", "67tughj"),
        ("azerty", "a", "12zq"),
    ],
)
def test_keys_lie_beside_each_other(layout: str, key: str, near: str) -> None:
    found = neighbours(layout)
    assert set(near) >= set(found[key])
    assert len(found[key]) >= 3


@pytest.mark.parametrize("layout", ["qwerty", "qwertz", "azerty"])
def test_to_lie_beside_each_other_is_mutual(layout: str) -> None:
    found = neighbours(layout)
    assert all(key in found[other] for key, others in found.items() for other in others)


def test_typos() -> None:
    text = "Go, now"
    found = texts.Typos().change(text, ScriptedRandom(*[HIT] + [MISS] * 6 + [0.0]))
    assert found[1:] == "o, now"
    assert found[0] in "TYFHVB"
    assert texts.Typos().change("¡!", ScriptedRandom(HIT, HIT)) == "¡!", "no key, no slip"


def test_word_deletion() -> None:
    spec = texts.WordDeletion()
    assert spec.change("buy it now", ScriptedRandom(MISS, HIT, MISS)) == "buy now"
    assert spec.change("buy it", ScriptedRandom(HIT, HIT, 0.5)) == "it"
    assert spec.change("", ScriptedRandom()) == ""


def test_word_swap() -> None:
    spec = texts.WordSwap()
    assert spec.change("a b c d", ScriptedRandom(MISS, HIT, MISS, MISS, 0.0)) == "a c b d"
    assert spec.change("a b c d", ScriptedRandom(MISS, HIT, MISS, MISS, 0.99)) == "b a c d"
    assert spec.change("a", ScriptedRandom()) == "a"
    # The ring a, d, c: each gets the next one's place.
    assert spec.change("a b c d", ScriptedRandom(HIT, MISS, HIT, HIT, 0.1, 0.9, 0.5)) == "d b a c"


@pytest.mark.parametrize("rate", [0.1, 0.4, 1.0])
@pytest.mark.parametrize("count", [2, 5, 30])
def test_word_swap_moves_as_many_words_as_it_says(count: int, rate: float) -> None:
    words = [f"w{n}" for n in range(count)]
    found = on_texts([" ".join(words)] * 3000, {"kind": "word_swap", "rate": rate})
    moved = np.array([[new != old for new, old in zip(text.split(), words, strict=True)] for text in found])
    assert moved.mean() == pytest.approx(rate, abs=0.015)
    assert moved.mean(axis=0) == pytest.approx(rate, abs=0.04), "each word alike"


def test_word_repetition() -> None:
    assert texts.WordRepetition().change("so it is", ScriptedRandom(HIT, MISS, MISS)) == "so so it is"


def test_synonyms() -> None:
    spec = synonyms.Synonyms(words={"free": ("gratis",), "buy": ("get", "order")})
    drawn = ScriptedRandom(HIT, 0.99, MISS, HIT, 0.0)
    assert spec.change("Buy, free! free freedom", drawn) == "Order, free! gratis freedom"
    spec = synonyms.Synonyms(words={"don't": ("do not",)})
    assert spec.change("DON'T! Don't", ScriptedRandom(HIT, 0.0, HIT, 0.0)) == "Do not! Do not"


@pytest.mark.parametrize(
    ("entry", "text", "expected"),
    [
        ("हिन्दी", "मैं हिन्दी में", "मैं * में"),
        ("हिन्द", "हिन्दी", "हिन्दी"),
        ("new york", "In New York, new\nyork; newyork", "In *, *; newyork"),
        ("T恤", "买T恤吧 MYT恤", "买*吧 MYT恤"),
        ("Don’t", "Don’t, don't", "*, *"),
        ("café", "a café, a cafe\u0301, a cafe", "a *, a *, a cafe"),
        ("cafe", "a cafe\u0301, a cafe", "a cafe\u0301, a *"),
        ("c++", "C++ or c", "* or c"),
        ("free", "free-range, un-free, free", "free-range, un-free, *"),
        ("wi-fi router", "my wi-fi router's", "my wi-fi router's"),
        ("straße", "Straße, straße", "*, *"),
    ],
)
def test_entries_of_all_scripts_are_found_and_no_part_of_a_word_is(entry: str, text: str, expected: str) -> None:
    spec = synonyms.Synonyms(words={entry: ("*",)})
    assert spec.change(text, ScriptedRandom(*[HIT, 0.0] * 2)) == expected


def test_an_entry_of_two_words_comes_before_its_first_word() -> None:
    spec = synonyms.Synonyms(words={"new": ("recent",), "new york": ("the city",)})
    assert spec.change("new New York", ScriptedRandom(*[HIT, 0.0] * 2)) == "recent The city"


def test_the_same_word_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="is given twice, but for case, accents or apostrophes"):
        synonyms.Synonyms(words={"don't": ("a",), "Don’t": ("b",)})


def test_clause_shuffle() -> None:
    spec, text = texts.ClauseShuffle(), "If you win, call 3.50 now; hurry!"
    assert spec.change(text, ScriptedRandom(0.5, 0.1, 0.9)) == "call 3.50 now, If you win; hurry!"
    assert spec.change(text, ScriptedRandom(0.3, 0.2, 0.1)) == "hurry, call 3.50 now; If you win!"
    assert spec.change("no marks", ScriptedRandom(0.5)) == "no marks"
    assert spec.change("", ScriptedRandom()) == ""


def test_word_shuffle() -> None:
    # Places plus numbers in [0, 3): 2.7, 1, 2.3.
    assert texts.WordShuffle(window=2).change("a b c", ScriptedRandom(0.9, 0.0, 0.1)) == "b c a"


@pytest.mark.parametrize("window", [1, 2, 5])
def test_no_word_is_shuffled_further_than_the_window(window: int) -> None:
    words = [f"w{n}" for n in range(20)]
    found = on_texts([" ".join(words)] * 300, {"kind": "word_shuffle", "window": window})
    moves = [abs(text.split().index(word) - at) for text in found for at, word in enumerate(words)]
    assert max(moves) == window


class TestChinese:
    """A script without spaces: each character is a word, and its own marks end clauses."""

    TEXT = "今天免费，快来买！"

    def test_character_noise_takes_letters_from_the_text(self) -> None:
        # 天 is replaced by the text's fourth character, 快 changes places with 来.
        drawn = ScriptedRandom(MISS, HIT, MISS, MISS, MISS, HIT, MISS, MISS, MISS, 0.5, 3.5 / 9, 0.75)
        assert texts.CharacterNoise().change(self.TEXT, drawn) == "今费免费，来快买！"

    def test_nothing_is_mistyped(self) -> None:
        assert texts.Typos().change(self.TEXT, ScriptedRandom(*[HIT] * 9)) == self.TEXT

    def test_word_deletion(self) -> None:
        # 费 goes with the comma that clings to it.
        drawn = ScriptedRandom(MISS, HIT, MISS, HIT, MISS, MISS, MISS)
        assert texts.WordDeletion().change(self.TEXT, drawn) == "今免快来买！"

    def test_word_swap(self) -> None:
        drawn = ScriptedRandom(HIT, MISS, MISS, MISS, MISS, MISS, MISS, 0.0)
        assert texts.WordSwap().change(self.TEXT, drawn) == "天今免费，快来买！"

    def test_word_repetition(self) -> None:
        drawn = ScriptedRandom(HIT, MISS, MISS, MISS, MISS, HIT, MISS)
        assert texts.WordRepetition().change(self.TEXT, drawn) == "今今天免费，快来来买！"

    def test_synonyms(self) -> None:
        # Both 免费 and 免 are in the table: the longer one is the word.
        spec = synonyms.Synonyms(words={"免": ("不",), "免费": ("不要钱", "白送"), "买": ("购买",)})
        assert spec.change(self.TEXT, ScriptedRandom(HIT, 0.0, HIT, 0.0)) == "今天不要钱，快来购买！"
        assert spec.change("免税WIN免费", ScriptedRandom(HIT, 0.0, HIT, 0.99)) == "不税WIN白送"

    def test_clause_shuffle(self) -> None:
        text = "今天免费，快来买！真的？"
        found = texts.ClauseShuffle().change(text, ScriptedRandom(0.5, 0.1, 0.9))
        assert found == "快来买，今天免费！真的？"

    def test_word_shuffle(self) -> None:
        assert texts.WordShuffle(window=2).change("我爱你", ScriptedRandom(0.9, 0.0, 0.1)) == "爱你我"

    def test_two_scripts_in_one_text(self) -> None:
        drawn = ScriptedRandom(MISS, HIT, MISS, MISS, 0.5)
        # Words: 买, iPhone, 手, 机. The second changes places with the fourth.
        assert texts.WordSwap().change("买 iPhone手机", drawn) == "买 机手iPhone"
        # Words that come to stand side by side are kept apart.
        assert texts.WordShuffle(window=2).change("中a b", ScriptedRandom(0.9, 0.0, 0.1)) == "a b 中"


TEXT = "Dear all, we are 12 words long; at least nearly so, I hope!"


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_probability_is_how_many_texts_are_changed(kind: str) -> None:
    options: dict[str, Any] = {"kind": kind}
    if kind == "synonyms":
        options["words"] = {"dear": ["hello"]}
    if "rate" in _options(kind):
        options["rate"] = 1.0
    texts = [TEXT] * 1000
    assert on_texts(texts, {**options, "probability": 0.0}) == texts
    for probability in (0.4, 1.0):
        changed = sum(text != TEXT for text in on_texts(texts, {**options, "probability": probability}))
        # Three clauses in another order are in the old one in one case of 24.
        assert changed / 1000 == pytest.approx(probability, abs=0.06)


def _options(kind: str) -> set[str]:
    return set(AUGMENTATIONS.parts[kind].model_fields)


@pytest.mark.parametrize("kind", ["word_deletion", "word_repetition"])
def test_rate_is_how_many_words_are_hit(kind: str) -> None:
    words = [f"w{n}" for n in range(40)]
    counts = Counter(" ".join(on_texts([" ".join(words)] * 1000, {"kind": kind, "rate": 0.2})).split())
    expected = 800 if kind == "word_deletion" else 1200
    for word in words:
        assert counts[word] == pytest.approx(expected, abs=60)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text(max_size=60), min_size=1, max_size=4),
    st.sampled_from(sorted(TEXTS)),
    st.floats(0, 1),
    st.integers(0, 2**40),
)
def test_any_text_stays_a_text_and_depends_on_itself_alone(texts: list[str], kind: str, rate: float, seed: int) -> None:
    options: dict[str, Any] = {"kind": kind}
    if "rate" in _options(kind):
        options["rate"] = rate
    if kind == "synonyms":
        options["words"] = {"a": ["b"]}
    found = on_texts(texts, options, seed=seed)
    assert len(found) == len(texts)
    assert on_texts(texts[:1], options, seed=seed) == found[:1]
    for before, after in zip(texts, found, strict=True):
        if kind in ("word_swap", "word_shuffle", "word_deletion"):
            letters, kept = (Counter("".join(one.split())) for one in (before, after))
            assert not kept - letters
            assert kind == "word_deletion" or kept == letters
        if kind == "clause_shuffle":
            assert sorted(after) == sorted(before)
