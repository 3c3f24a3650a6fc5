"""Every kind of page in a real browser: what it promises is there, offline, for any eye, hand and screen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hothouse.report.page import COLOURS, as_script
from hothouse.report.sections.errors import MOST_OPAQUE
from tests.browser import Browser
from tests.contrast import colour, contrast, over
from tests.pages import PAGES, run, scenario

CSS = (Path(__file__).parents[2] / "hothouse" / "report" / "page.css").read_text(encoding="utf-8")
LIGHT, DARK = (dict(re.findall(r"--(\w+): (#\w+);", part)) for part in CSS.split("prefers-color-scheme: dark")[:2])

REACHABLE = "a[href], button, summary, [tabindex='0'], input, select, textarea"
DRAWN = ".trace, .hm, .boxes, .points path, .bars path"


@pytest.fixture(scope="module", params=PAGES)
def kind(request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of this kind, open."""
    make, _ = PAGES[request.param]
    path = make(tmp_path_factory.mktemp(request.param))
    browser.requests()
    browser.open(path)
    return str(request.param)


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest, browser: Browser) -> Iterator[dict[str, str]]:
    """The page's colours by name."""
    browser.dark(request.param == "dark")
    yield {**LIGHT, **DARK} if request.param == "dark" else LIGHT
    browser.dark(False)


def test_what_it_promises_is_there_and_drawn_offline_without_a_complaint(kind: str, browser: Browser) -> None:
    assert browser.complaints() == []
    asked = [address for address in browser.requests() if not address.startswith("data:")]
    assert len(asked) == 1, "the page itself and nothing else"
    assert asked[0].startswith("file:")
    assert browser.ask("[...document.querySelectorAll('main > section > h2')].map(h => h.innerText)") == list(
        PAGES[kind][1]
    )
    empty = f"[...document.querySelectorAll('.plot')].filter(p => !p.querySelector('{DRAWN}')).map(p => p.id)"
    assert browser.ask(empty) == []
    assert browser.count(".plot .main-svg") >= 2
    assert browser.ask("document.documentElement.lang") == "en"
    text = browser.text()
    if kind == "images":
        worst = "[...document.querySelectorAll('#worst-mistakes img')]"
        assert browser.ask(f"{worst}.length") >= 5
        assert browser.ask(f"{worst}.every(i => i.complete && i.naturalWidth === 8 && / taken for /.test(i.alt))")
    if kind in ("classification", "images", "texts"):
        assert "Confusion matrix" in text
        assert "How much of each label is recognized" in text
    if kind == "texts":
        assert "win a prize now" in browser.ask("document.querySelector('#worst-mistakes').innerText")
    if kind == "regression":
        assert browser.count("#figure-scatter-0 .points path") >= 80, "a point for each of the test examples"
        assert browser.count("#figure-residuals-0 .bars path") >= 5
        assert "half of the errors within" in text
    if kind == "competition":
        assert browser.count("#figure-ladder .points path") >= 3 * 8, "every network of every round"
        assert browser.count("#figure-lineage .scatterlayer .js-line") == 1
        assert "generations of the final weights" in text
    if kind == "personal":
        assert "The global model and clients' own models" in text


def test_a_phone_shows_it_without_scrolling_sideways(kind: str, browser: Browser) -> None:
    browser.resize(375, 800)
    browser.wait("[...document.querySelectorAll('.plot')].every(p => p.querySelector('.main-svg').clientWidth < 375)")
    assert browser.ask("document.documentElement.scrollWidth") <= 375
    cut = (
        "[...document.querySelectorAll('main p, main h2, main h3, figcaption, dd, dt, button, summary, figure')]"
        ".filter(e => e.getBoundingClientRect().right > 376).map(e => e.innerText)"
    )
    assert browser.ask(cut) == []
    small = "[...document.querySelectorAll('.nsewdrag')].filter(e => e.getBoundingClientRect().height < 100).length"
    assert browser.ask(small) == 0, "no legend takes the room of what it explains"
    browser.resize(1200, 900)


def test_words_are_readable_and_axe_finds_nothing_wrong(kind: str, browser: Browser, theme: dict[str, str]) -> None:
    ground = browser.ask("getComputedStyle(document.querySelector('figure.card')).backgroundColor")
    assert colour(ground) == colour(theme["card"])
    ink = "rgb({:.0f}, {:.0f}, {:.0f})".format(*colour(theme["ink"]))
    browser.wait(f"[...document.querySelectorAll('.plot svg text')].every(t => getComputedStyle(t).fill === '{ink}')")
    assert contrast(colour(ink), colour(ground)) >= 4.5, "words in figures, which are pictures to axe"
    assert browser.breaches() == []


def test_every_figure_is_told_in_words_and_numbers(kind: str, browser: Browser) -> None:
    figures = "[...document.querySelectorAll('figure.card')]"
    labels = browser.ask(f"{figures}.map(f => f.querySelector('.plot').ariaLabel)")
    assert len(set(labels)) == len(labels), "no two are told alike"
    assert all(labels)
    rows = browser.ask(f"{figures}.map(f => f.querySelectorAll('details tbody tr').length)")
    assert [label for label, count in zip(labels, rows, strict=True) if not count] == []
    unseen = "[...document.querySelectorAll('.plot svg.main-svg')].every(svg => svg.ariaHidden === 'true')"
    assert browser.ask(unseen), "a reader hears the label, not every tick"


def test_keys_reach_everything_in_order_and_show_where_they_are(kind: str, browser: Browser) -> None:
    number = (
        f'[...document.querySelectorAll("{REACHABLE}")].filter(e => e.checkVisibility())'
        ".map((e, n) => { e.dataset.stop = n; return n; })"
    )
    stops = browser.ask(number)
    browser.ask("(document.activeElement.blur(), window.scrollTo(0, 0), getSelection().removeAllRanges())")
    here = (
        "(({ dataset, tagName }, { outlineStyle, outlineWidth, outlineColor }) =>"
        " [tagName === 'BODY' ? -1 : Number(dataset.stop), outlineStyle, parseFloat(outlineWidth), outlineColor])"
        "(document.activeElement, getComputedStyle(document.activeElement))"
    )
    seen = []
    for _ in range(len(stops) + 2):
        browser.tab()
        stop, style, width, ink = browser.ask(here)
        if stop == -1:
            break
        seen.append(stop)
        assert (style, width) == ("solid", 3), f"stop {stop} does not show that it is there"
        assert contrast(colour(ink), colour(LIGHT["ground"])) >= 3
    assert seen == stops


@pytest.mark.parametrize("theme", [LIGHT, {**LIGHT, **DARK}], ids=["light", "dark"])
def test_lines_and_the_numbers_in_cells_stand_out_from_their_ground(theme: dict[str, str]) -> None:
    card, ink = colour(theme["card"]), colour(theme["ink"])
    for one in COLOURS:
        assert contrast(colour(one), card) >= 3, f"{one}: WCAG's least for what is no text"
        assert contrast(over(card, colour(one), MOST_OPAQUE), ink) >= 4.5, f"{one} under a number"


def test_names_that_are_markup_stop_nothing(browser: Browser, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    names = np.array(["<!--<script>", "</script>", "<img src=x onerror=alert(1)>"])
    np.savez(tmp_path / "rows.npz", x_train=rng.normal(size=(120, 3)), y_train=names[rng.integers(0, 3, 120)])
    browser.open(run(scenario({"kind": "npz", "path": str(tmp_path / "rows.npz")}), tmp_path))
    assert browser.complaints() == []
    assert browser.count(".plot .main-svg") > 4
    assert all(name in browser.text() for name in names)


def test_json_in_a_page_begins_and_ends_nothing() -> None:
    told = as_script({"a": "<!--<script></script>", "b": [1.5, None]})
    assert "<" not in told
    assert json.loads(told) == {"a": "<!--<script></script>", "b": [1.5, None]}
