"""Documents as tokens: how they are cut, what is seen at each place, what is agreed, and who gets them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import hothouse
from common.data import Prepared, prepare
from common.data.data_spec import DataSpec
from common.data.documents import document_texts
from common.data.examples import open_examples
from common.data.table import Column
from common.data.tokens import (
    END,
    SequenceForm,
    TokenCosts,
    TokenWindows,
    encode_tokens,
    frequent_tokens,
    header_values,
    join_tokens,
    tokenize,
)
from common.errors import InputError
from common.scenario import load_scenario

PLAY = "\n\n".join(
    f"{name}:\n{line}"
    for name, line in [
        *[("ANNE", f"Well {n}, good day.") for n in range(6)],
        *[("BOB", f"Aye, {n} it is!") for n in range(6)],
        *[("CY", f"No {n}.") for n in range(3)],
    ]
)
SPEAKERS = r"(?:\A|\n\n)([^:\n]+):$"
TUNES = "% a book\n" + "".join(
    f"X:{n}\nM:{('6/8', '3/4')[n % 2]}\nK:G % sharp\nabc|\nM:2/4\ngf|\n\n" for n in range(1, 9)
)


def scenario(source: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {
        "seed": 3,
        "data": {"source": {"kind": "sequence", **source}, "partition": "natural", **data},
        "model": {"name": "next_token", "context": 4, "embedding": 3, "layers": [5], "dtype": "float64"},
        "training": {"batch_size": 8, "optimizer": {"name": "adam", "lr": 0.01}},
        "federation": {"rounds": 2, "clients_per_round": 1.0},
    }


def prepared(folder: Path, text: str, source: dict[str, Any], **data: Any) -> Prepared:
    (folder / "text.txt").write_text(text)
    return prepare(load_scenario(scenario({"path": str(folder / "text.txt"), **source}, **data)))


def agreed(found: Prepared, context: int, labels: tuple[str, ...] | None = None) -> DataSpec:
    width = len(found.meta.columns)
    return DataSpec(
        task="generation",
        row_shape=(width,),
        labels=tuple(sorted(map(str, found.meta.labels))) if labels is None else labels,
        columns=tuple(found.meta.columns),
        shift=np.zeros(width),
        scale=np.ones(width),
        fill=np.full(width, np.nan),
        own_fill=False,
        indicators=(),
        target_shift=np.empty(0),
        target_scale=np.empty(0),
        tokens=TokenWindows("characters", context),
    )


@given(st.text(max_size=60), st.sampled_from(["characters", "words", "bytes"]))
def test_tokens_one_after_the_other_are_the_text_again(text: str, unit: str) -> None:
    assert join_tokens(tokenize(text, unit), unit) == text


@given(st.lists(st.text(alphabet="ab, \n", min_size=1, max_size=9), min_size=1, max_size=5))
def test_documents_are_encoded_one_after_the_other(texts: list[str]) -> None:
    for unit in ("characters", "words"):
        codes, names, starts = encode_tokens(texts, unit)
        expected = [[*tokenize(text, unit), END] for text in texts]
        assert [names[code] for code in codes.tolist()] == [token for tokens in expected for token in tokens]
        assert starts.tolist() == np.cumsum([0, *map(len, expected)])[:-1].tolist()


def test_words_keep_the_space_before_them() -> None:
    assert tokenize("I am, 你好  x\n", "words") == ["I", " am", ",", " ", "你", "好", " ", " x", "\n"]


def test_a_play_is_cut_by_its_speakers(tmp_path: Path) -> None:
    found = prepared(tmp_path, PLAY, {"clients": SPEAKERS})
    assert found.meta.clients == ["ANNE", "BOB", "CY"]
    texts = [list(document_texts(found, found.training_examples(client))) for client in range(3)]
    assert texts[2] == [f"\nNo {n}." for n in range(3)]
    assert found.training_sizes.tolist() == [sum(len(text) + 1 for text in own) for own in texts]


def test_tunes_begin_with_their_match_and_what_stands_before_is_told(tmp_path: Path) -> None:
    found = prepared(tmp_path, TUNES, {"clients": "^X:"}, partition={"scheme": "iid", "clients": 4})
    texts = [text for client in range(4) for text in document_texts(found, found.training_examples(client))]
    assert sorted(texts)[0] == "X:1\nM:3/4\nK:G % sharp\nabc|\nM:2/4\ngf|\n\n"
    assert len(texts) == 8
    assert "9 characters before the first match" in found.meta.hints[0]


def test_test_examples_and_held_out_ones_are_whole_documents(tmp_path: Path) -> None:
    found = prepared(tmp_path, PLAY, {"clients": SPEAKERS}, test_fraction=0.2, client_holdout=0.25)
    shared = [found.test]
    for client in range(3):
        shared += [found.training_examples(client), found.holdout_examples(client)]
    texts = [text for part in shared if len(part) for text in document_texts(found, part)]
    assert len(list(document_texts(found, found.test))) == 3
    assert all(text in PLAY for text in texts)
    assert len(texts) == 15
    assert found.holdout_sizes.sum() > 0


def test_windows_see_padding_and_never_the_document_before(tmp_path: Path) -> None:
    """By hand: documents ab and cb, three tokens back."""
    found = prepared(tmp_path, "X:1\nabX:2\ncb", {"clients": "^X:.\n|X:.\n"}, partition={"scheme": "iid", "clients": 1})
    spec = agreed(found, 3)
    reader = open_examples(found, spec, torch.float64)
    labels, positions = list(spec.labels), torch.arange(len(found.y))
    pad, shown = len(labels) + 1, reader.inputs(positions).long().tolist()
    codes = [labels.index(token) for token in [*"X:1\nab", END]]
    padded = [pad] * 3 + codes
    assert shown[: len(codes)] == [padded[at : at + 3] for at in range(len(codes))]
    assert shown[len(codes)] == [pad] * 3
    assert reader.targets(positions).tolist()[: len(codes)] == codes


def test_header_values_hold_from_the_line_behind_them(tmp_path: Path) -> None:
    text = "M:6/8\nab\nM: 3/4 % new\nc"
    values = header_values("M", text, text, "characters")
    first, second = text.index("a"), text.index("c")
    assert values[:first] == [""] * first
    assert set(values[first:second]) == {"6/8"}
    assert values[second:] == ["3/4"] * 2
    found = prepared(
        tmp_path, TUNES, {"clients": "^X:", "headers": ["M", "K"]}, partition={"scheme": "iid", "clients": 1}
    )
    assert found.meta.columns[2] == Column("K", ("", "G"), whole=False)
    reader = open_examples(found, agreed(found, 2), torch.float64)
    seen = reader.inputs(torch.arange(len(found.y)))[:, 2].long().tolist()
    assert seen[: len("X:1\nM:3/4\n")] == [0] * len("X:1\nM:3/4\n")
    names = found.meta.columns[1].categories
    assert names is not None
    assert names[seen[len("X:1\nM:3/4\n")]] == "3/4"


def test_unknown_tokens_are_known_as_such(tmp_path: Path) -> None:
    found = prepared(tmp_path, PLAY, {"clients": SPEAKERS})
    labels = tuple(sorted({*"\n Welgood", END}))
    reader = open_examples(found, agreed(found, 3, labels), torch.float64)
    positions = torch.arange(len(found.y))
    unknown = np.array([str(found.meta.labels[code]) not in labels for code in found.y.tolist()])
    assert (reader.targets(positions).numpy() == len(labels)).tolist() == unknown.tolist()
    # One of Unicode's code points that is not known; END is none.
    expected = math.log2(0x110000 - len(labels) + 1)
    np.testing.assert_allclose(reader.terms(positions)["unknown_bits"], np.where(unknown, expected, 0))


def test_an_unknown_word_is_spelled() -> None:
    costs = TokenCosts("words", ("", " ab", "b"))
    assert costs.bits("ba") == pytest.approx(3 * math.log2(3 + 2))
    assert costs.bits("bz") == pytest.approx(3 * math.log2(3 + 2) + math.log2(0x110000))
    assert TokenCosts("bytes", ("", "a")).bits("b") == pytest.approx(math.log2(255))


def test_the_most_frequent_tokens_are_agreed_on() -> None:
    counts = {"b": 3, "a": 3, "c": 5, "d": 1, END: 9}
    assert frequent_tokens(counts, SequenceForm("characters", 2, 1)) == (END, "a", "c")
    assert frequent_tokens(counts, SequenceForm("characters", 9, 2)) == (END, "a", "b", "c")
    with pytest.raises(ValueError, match=r"no token occurs 7 times .*; lower data.source.min_count"):
        frequent_tokens(counts, SequenceForm("characters", 9, 7))


@pytest.mark.parametrize(
    ("source", "data", "message"),
    [
        ({"clients": "(a)(b)"}, {}, "expected at most one group"),
        ({"clients": "(a"}, {}, "expected a regular expression"),
        ({"clients": "^Q:"}, {}, "nothing in it matches '^Q:'"),
        ({"clients": "^(ANNE)?:?$"}, {}, "text.txt:3: a match without the client's name"),
        ({"headers": ["M:"]}, {}, "expected names of lines"),
        ({}, {"partition": {"scheme": "iid", "clients": 2}}, "2 clients, but only 1 documents to train on"),
        ({}, {"skew": [{"kind": "noise", "sigma": 0.1}]}, "the examples are tokens of documents; leave this out"),
        ({"clients": SPEAKERS}, {"partition": "dirichlet"}, "dirichlet needs labels"),
    ],
    ids=str,
)
def test_what_is_refused(tmp_path: Path, source: dict[str, Any], data: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        prepared(tmp_path, PLAY, source, **data)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("model", "source", "message"),
    [
        ({"layers": [4]}, {}, "mlp learns no sequences of tokens; use next_token"),
        ({"name": "vae"}, {}, "vae learns no sequences of tokens; use next_token"),
        ({"name": "next_token"}, {"kind": "sklearn", "name": "iris"}, "expected data.source.kind: sequence"),
    ],
)
def test_networks_and_data_that_do_not_go_together(
    tmp_path: Path, model: dict[str, Any], source: dict[str, Any], message: str
) -> None:
    (tmp_path / "text.txt").write_text(PLAY)
    made = scenario({"path": str(tmp_path / "text.txt"), "clients": SPEAKERS})
    made["model"] = model
    if source:
        made["data"] = {"source": source, "partition": {"scheme": "iid", "clients": 2}}
    with pytest.raises(InputError) as refused:
        hothouse.run(made, engine="local", out=tmp_path / "run")
    assert message in str(refused.value)
