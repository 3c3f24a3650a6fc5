"""One self-contained HTML page: headings, tables, pictures and Plotly figures, light and dark, on any screen.

A page is made of sections, a section of parts, which are HTML. A live page takes a newer state of itself
(`Page.state`) without being loaded again: see `hothouse.running.live`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hothouse.report.numbers import numbers_of
from hothouse.writing import written

Figure = dict[str, Any]
"""A Plotly figure: `data` and `layout`. Colours of text and grid follow the page."""

COLOURS = ("#3b6fd4", "#d1762c", "#2f9d62", "#8059c7", "#c0425f", "#8a7340", "#1f9db5", "#c65fb0", "#6b7280", "#8f961c")
"""Readable on light and on dark ground, told apart by most kinds of eyes; the ninth is for what stands behind."""


@dataclass
class Page:
    """A page in the making: sections in order, each under a heading that the contents link to."""

    title: str
    lead: str = ""
    """HTML under the title."""
    sections: list[tuple[str, str]] = field(default_factory=list)
    figures: dict[str, Figure] = field(default_factory=dict)

    def section(self, heading: str, *parts: str) -> None:
        """Add a section of HTML parts."""
        self.sections.append((heading, "\n".join(parts)))

    def figure(
        self, figure: Figure, title: str, height: int = 360, name: str = "", numbers: str = "", note: str = ""
    ) -> str:
        """A figure as HTML; `title` and `note` say in words what it shows, for those who cannot see it too.

        `name` is the same for the same figure of a live page's next state; `numbers`, a table, is what the figure
        shows, to be unfolded below it: what is drawn, if left out.
        """
        anchor = f"figure-{name or len(self.figures)}"
        self.figures[anchor] = figure
        more = f'<span class="note">{escape(note)}</span>' if note else ""
        label = escape(f"{title}. {note}" if note else title)
        which = f'<span class="unseen"> of: {escape(title)}</span>'
        return (
            f'<figure class="card"><figcaption>{escape(title)}{more}</figcaption>'
            f'<div class="plot" id="{anchor}" style="height:{height}px" role="group" aria-label="{label}"></div>'
            f'<div class="under"><details><summary>The numbers{which}</summary>'
            f"{numbers or table(*numbers_of(figure))}</details>"
            f'<button type="button" data-does="reset">Reset zoom{which}</button>'
            f'<button type="button" data-does="save">Save picture{which}</button></div></figure>'
        )

    def state(self) -> dict[str, Any]:
        """What a live page shows of this one: everything but Plotly, styles and scripts."""
        return {
            "title": self.title,
            "lead": self.lead,
            "contents": self._contents(),
            "sections": [[_anchor(heading), self._section(heading, html)] for heading, html in self.sections],
            "figures": self.figures,
        }

    def html(self, live: bool = False) -> str:
        """The whole page; one that is `live` listens for newer states of itself at /events."""
        return _TEMPLATE.format(
            title=escape(self.title),
            lead=self.lead,
            live='<p id="live" role="status">connecting …</p>' if live else "",
            contents=self._contents(),
            body="".join(self._section(heading, html) for heading, html in self.sections),
            figures=as_script(self.figures),
            plotly=plotly_script(),
            style=_resource("page.css"),
            script=_resource("page.js") + (_resource("live.js") if live else ""),
        )

    def _contents(self) -> str:
        return "".join(f'<li><a href="#{_anchor(name)}">{escape(name)}</a></li>' for name, _ in self.sections)

    @staticmethod
    def _section(heading: str, html: str) -> str:
        anchor = _anchor(heading)
        return (
            f'<section id="{anchor}" aria-labelledby="{anchor}-heading">'
            f'<h2 id="{anchor}-heading">{escape(heading)}</h2>{html}</section>'
        )


def write_page(page: Page, path: Path) -> Path:
    """Write a page into a file; returns its path. Raises InputError where it cannot be written."""
    return written(path, page.html().encode())


def as_script(value: Any) -> str:
    """A value as JSON that may stand inside a script element, where "</script" and "<!--" have a meaning of their own.

    See WHATWG HTML, 4.12.1.3, restrictions for contents of script elements.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """A table; numbers, and gaps among them, are set to the right."""
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    lines = [list(row) for row in rows]
    numeric = [_numeric([line[place] for line in lines]) for place in range(len(head))]
    heads = "".join(
        f'<th scope="col"{_RIGHT if right else ""}>{escape(name)}</th>'
        for name, right in zip(head, numeric, strict=True)
    )
    body = "".join(
        f"<tr>{''.join(_cell(value, right) for value, right in zip(line, numeric, strict=True))}</tr>" for line in lines
    )
    inside = f"{told}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="scroll" tabindex="0"><table>{inside}</table></div>'


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """A few numbers with their names, side by side."""
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(shown(value))}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{cells}</dl>'


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def details(summary: str, html: str) -> str:
    """Something to unfold."""
    return f"<details><summary>{escape(summary)}</summary>{html}</details>"


def code(text: str) -> str:
    """Text as it is, to be copied."""
    return f'<pre tabindex="0"><code>{escape(text)}</code></pre>'


def shown(value: Any) -> str:
    """A value as people read it: thousands apart, four digits that count."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def size(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def side_by_side(*parts: str) -> str:
    """Parts beside each other where the screen is wide enough, else one below the other."""
    return f'<div class="grid">{"".join(parts)}</div>'


def plotly_script() -> str:
    """Plotly's own JavaScript, as it comes with the package; the package itself need not be imported for it."""
    spec = find_spec("plotly")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations)))
    return (folder / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _anchor(heading: str) -> str:
    """A heading as it stands in links."""
    return re.sub(r"\W+", "-", heading.lower()).strip("-")


_RIGHT = ' class="number"'


def _numeric(values: list[Any]) -> bool:
    """Whether a column is of numbers, with gaps or without."""
    there = [value for value in values if value is not None]
    return bool(there) and all(map(_is_number, there))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any, right: bool) -> str:
    if isinstance(value, Html):
        return f"<td>{value.html}</td>"
    return f"<td{_RIGHT if right or _is_number(value) else ''}>{escape(shown(value))}</td>"


@dataclass(frozen=True)
class Html:
    """HTML to be put into a table's cell as it is."""

    html: str


def _resource(name: str) -> str:
    return (files("hothouse.report") / name).read_text(encoding="utf-8")


_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header><h1>{title}</h1>{live}<div id="lead">{lead}</div></header>
<nav aria-label="Contents"><ul id="contents">{contents}</ul></nav>
<main id="main" tabindex="-1">{body}</main>
<script>{plotly}</script>
<script id="figures" type="application/json">{figures}</script>
<script>{script}</script>
</body>
</html>
"""
