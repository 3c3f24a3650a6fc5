"""Texts: read with their labels, and turned into the numbers that scikit-learn would give."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer

from common.data.data_spec import TermRule, Vocabulary
from common.data.sources import text
from common.data.sources.text import TextSource
from common.data.table import Table
from common.data.text import Featurizer, agreed_vocabulary, document_frequencies
from common.errors import InputError
from tests.conftest import shared_data

SAYINGS = ["the cat sat on the mat", "The dog sat", "a cat, a dog!", "Übung macht den Meister"]


def read(path: Path, **options: Any) -> Table:
    return text.read(TextSource(path=str(path), **options), 0)


def test_a_line_is_a_label_and_a_text(tmp_path: Path) -> None:
    (tmp_path / "sms.tsv").write_text("ham\thello\tyou\n\nspam\tWIN £100\n")
    table = read(tmp_path / "sms.tsv")
    assert table.texts == ["hello\tyou", "WIN £100"]
    assert (table.labels, table.y.tolist()) == (["ham", "spam"], [0, 1])


def test_columns_and_separator_can_be_told(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id,text,label\n1,hello,a\n2,bye,b\n")
    table = read(tmp_path / "x.csv", separator=",", header=True, label_column=2, text_column=1)
    assert (table.texts, table.labels) == (["hello", "bye"], ["a", "b"])


def test_a_folder_has_a_folder_for_each_label(tmp_path: Path) -> None:
    for label, words in (("good", "fine"), ("bad", "awful")):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.txt").write_text(words)
    table = read(tmp_path)
    assert (table.labels, [word.strip() for word in table.texts or []]) == (["bad", "good"], ["awful", "fine"])


def test_real_messages() -> None:
    table = read(shared_data("SMSSpamCollection"))
    assert (len(table.texts or []), table.labels, int(table.y.sum())) == (5574, ["ham", "spam"], 747)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("ham hello\n", "sms.tsv:1: expected 2 values with '\\t' between them, found 1"),
        ("\thello\n", "sms.tsv:1: expected a label, found none"),
        ("\n\n", "sms.tsv: no texts in it"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "sms.tsv").write_text(content)
    with pytest.raises(InputError) as caught:
        read(tmp_path / "sms.tsv")
    assert message in str(caught.value)


def test_an_empty_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected folders of \.txt files"):
        read(tmp_path)
    with pytest.raises(InputError, match="no file"):
        read(tmp_path / "nowhere")


WORDS = TermRule((1, 1), lowercase=True)
RULES = {
    "words": (WORDS, {}),
    "pairs of words": (TermRule((1, 2), True), {"ngram_range": (1, 2)}),
    "characters": (
        TermRule((2, 3), False, "characters"),
        {"ngram_range": (2, 3), "analyzer": "char", "lowercase": False},
    ),
}
"""What counts as a term, and the same in scikit-learn's words."""
CHINESE = ["今天免费", "明天不免费", "今天下雨"]


def agreed(features: str, width: int, texts: list[str], rule: TermRule = WORDS) -> Vocabulary:
    """The vocabulary of texts that lie in two places."""
    parts = [document_frequencies(half, rule) for half in (texts[:1], texts[1:])]
    return agreed_vocabulary(features, width, rule, sum(parts, Counter()), len(texts), 1)


@pytest.mark.parametrize("texts", [SAYINGS, CHINESE], ids=["english", "chinese"])
@pytest.mark.parametrize("kind", RULES)
def test_features_are_scikit_learns_on_all_texts_in_one_place(texts: list[str], kind: str) -> None:
    rule, options = RULES[kind]
    bag = Featurizer(agreed("bag", 1000, texts, rule)).features(texts).toarray()
    theirs = CountVectorizer(**options)
    assert np.array_equal(bag, theirs.fit_transform(texts).toarray())
    assert agreed("bag", 1000, texts, rule).terms == tuple(theirs.get_feature_names_out())
    weighed = Featurizer(agreed("tfidf", 1000, texts, rule)).features(texts).toarray()
    assert np.allclose(weighed, TfidfVectorizer(**options).fit_transform(texts).toarray(), atol=1e-6)


@pytest.mark.parametrize("kind", RULES)
def test_hashed_features_need_no_vocabulary(kind: str) -> None:
    rule, options = RULES[kind]
    vocabulary = Vocabulary("hashed", 64, rule)
    theirs = HashingVectorizer(n_features=64, **options).transform(SAYINGS)
    assert np.allclose(Featurizer(vocabulary).features(SAYINGS).toarray(), theirs.toarray(), atol=1e-6)


def test_the_terms_of_most_texts_are_kept() -> None:
    assert agreed("bag", 3, SAYINGS).terms == ("cat", "dog", "sat")
    frequencies = document_frequencies(SAYINGS, WORDS)
    assert agreed_vocabulary("bag", 100, WORDS, frequencies, 4, 2).terms == ("cat", "dog", "sat", "the")


class TestQuotes:
    """Texts in CSV files stand in quotes wherever they hold a separator, a quote or the end of a line."""

    TEXTS = ("good, really", 'she said "fine"', "two\nlines", "plain")

    def written(self, path: Path, label_first: bool) -> Path:
        rows = [(text, label) for text, label in zip(self.TEXTS, "abab", strict=True)]
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["review", "sentiment"][:: -1 if label_first else 1])
            writer.writerows(row[:: -1 if label_first else 1] for row in rows)
        return path

    @pytest.mark.parametrize("label_first", [True, False])
    def test_are_read_as_in_csv(self, tmp_path: Path, label_first: bool) -> None:
        path = self.written(tmp_path / "t.csv", label_first)
        columns = {"label_column": 0 if label_first else 1, "text_column": 1 if label_first else 0}
        table = read(path, separator=",", header=True, **columns)
        assert (tuple(table.texts or ()), table.labels, table.y.tolist()) == (self.TEXTS, ["a", "b"], [0, 1, 0, 1])

    def test_a_text_without_them_takes_what_is_left_of_the_line(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text("a,one, two,three\nb,four\n")
        assert read(tmp_path / "t.csv", separator=",").texts == ["one, two,three", "four"]

    def test_mean_nothing_between_tabs_unless_the_scenario_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "t.tsv").write_text('a\t"hi" he said\nb\t"so"\n')
        assert read(tmp_path / "t.tsv").texts == ['"hi" he said', '"so"']
        (tmp_path / "t.tsv").write_text('a\t"hi\tyou"\nb\t"so"\n')
        assert read(tmp_path / "t.tsv", quotes="csv").texts == ["hi\tyou", "so"]

    def test_that_are_not_closed_are_named_unless_they_mean_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text('a;"open\nb;fine\n')
        with pytest.raises(InputError, match=r"t\.csv:\d: not a CSV file: unexpected end of data"):
            read(tmp_path / "t.csv", separator=";")
        assert read(tmp_path / "t.csv", separator=";", quotes="none").texts == ['"open', "fine"]


def test_folders_for_training_and_test_are_no_labels(tmp_path: Path) -> None:
    for split, texts in (("train", 3), ("test", 2), ("val", 1)):
        for label in ("neg", "pos"):
            (tmp_path / split / label).mkdir(parents=True)
            for n in range(texts):
                (tmp_path / split / label / f"{n}.TXT").write_text(f"{split} {label} {n}")
        (tmp_path / split / "urls.txt").write_text("x")
    (tmp_path / "train" / "unsup").mkdir()
    (tmp_path / "train" / "unsup" / "0.txt").write_text("x")
    (tmp_path / "train" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "train" / ".ipynb_checkpoints" / "0.txt").write_text("x")
    table = read(tmp_path)
    assert (table.labels, table.tests, table.validations, len(table.y)) == (["neg", "pos", "unsup"], 4, 2, 13)
    assert [text.strip() for text in (table.texts or [])[-4:]] == [
        "test neg 0",
        "test neg 1",
        "test pos 0",
        "test pos 1",
    ]
    assert table.hints == [
        f"{tmp_path}: 3 files outside the classes' folders left out, such as urls.txt",
        f"{tmp_path}: the class unsup is in train only",
    ]
