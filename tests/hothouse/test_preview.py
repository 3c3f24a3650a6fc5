"""A preview shows who has what: numbers in the terminal, a page for the browser."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from common.data.column_statistics import effective_labels, gini, label_entropies
from hothouse.inspect.check import check
from hothouse.inspect.preview import Preview
from hothouse.results.images import data_uri
from tests.browser import Browser


def preview(data: dict[str, Any], augmentation: Sequence[str] = ()) -> Preview:
    checked = check({"name": "looked-at", "data": data, "training": {"augmentation": list(augmentation)}})
    return Preview(checked.scenario, checked.prepared)


DIGITS = {
    "source": {"kind": "sklearn", "name": "digits"},
    "test_fraction": 0.2,
    "client_holdout": 0.2,
    "partition": {"scheme": "dirichlet", "clients": 30, "alpha": 0.3},
}


def test_the_numbers_people_quote() -> None:
    counts = np.array([[10, 0], [5, 5]])
    assert np.allclose(label_entropies(counts), [0, np.log(2)])
    assert np.allclose(effective_labels(counts), [1, 2])
    assert gini(np.array([5, 5, 5])) == pytest.approx(0)
    assert gini(np.array([0, 0, 0, 10])) == pytest.approx(0.75)
    assert gini(np.array([1, 2, 3, 4])) == pytest.approx(0.25)


def test_the_terminal_shows_numbers_and_the_first_clients() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    for table in preview(DIGITS).terminal():
        console.print(table)
    text = console.export_text()
    for words in ("clients", "30", "size Gini", "effective labels per client", "and 10 more"):
        assert words in text


@pytest.mark.parametrize("kind", ["images", "table", "text", "regression"])
def test_the_page_opens_offline_without_a_complaint(kind: str, tmp_path: Path, browser: Browser) -> None:
    data: dict[str, Any] = {**DIGITS}
    if kind == "table":
        (tmp_path / "p.csv").write_text(
            "age,town,y\n" + "".join(f"{n},{'ab'[n % 2]},{'uv'[n % 2]}\n" for n in range(80))
        )
        data["source"] = {"kind": "csv", "path": str(tmp_path / "p.csv"), "target": "y"}
        data["partition"] = {"scheme": "natural", "by": "town"}
    elif kind == "text":
        (tmp_path / "t.tsv").write_text("".join(f"{'uv'[n % 2]}\t<b>text</b> {n}\n" for n in range(80)))
        data |= {"source": {"kind": "text", "path": str(tmp_path / "t.tsv")}, "partition": {"scheme": "iid"}}
    elif kind == "regression":
        data |= {"source": {"kind": "sklearn", "name": "diabetes"}, "partition": {"scheme": "iid"}}
    page = tmp_path / "page.html"
    augmentation = {"images": ["rotation", "noise"], "text": ["typos", "word_repetition"]}
    augmented = augmentation.get(kind, ["feature_noise", "feature_dropout"])
    page.write_text(preview(data, augmented).page().html(), encoding="utf-8")
    browser.open(page)
    assert browser.complaints() == []
    assert browser.count(".plot .main-svg") >= 2
    for heading in ("At a glance", "Data by client", "A few examples", "Augmented examples", "Scenario"):
        assert heading in browser.text()
    if kind == "images":
        assert browser.count(".pictures figure img") == 6 * 8
        assert browser.count(".pictures td img") == 3 * 5 * 4
        sources = browser.ask("[...document.querySelectorAll('.pictures td img')].map(image => image.src)")
        assert len(set(sources)) > 30, "most pictures are of their own"
    if kind in ("table", "regression"):
        assert browser.count("mark") > 5
    if kind == "text":
        assert browser.count("ins") > 5
        assert "<b>text</b>" in browser.text(), "what is in the data is shown, not obeyed"


def test_rows_become_pictures() -> None:
    for shape in ((4, 3), (4, 3, 1), (3, 4, 5), (4, 5, 3)):
        row = np.arange(np.prod(shape))
        assert data_uri(row, shape, (0, row.max())).startswith("data:image/png;base64,iVBOR")
