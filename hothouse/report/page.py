"""One self-contained HTML page: headings, tables, pictures and Plotly figures, light and dark, on any screen.

A page is made of sections, a section of parts, which are HTML. A live page takes a newer state of itself
(`Page.state`) without being loaded again: see `hothouse.running.live`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hothouse.report.numbers import numbers_of
from hothouse.report.parts import environment, part, table
from hothouse.writing import write_file

Figure = dict[str, Any]
"""A Plotly figure: `data` and `layout`. Colours of text and grid follow the page."""

COLOURS = ("#3b6fd4", "#d1762c", "#2f9d62", "#8059c7", "#c0425f", "#8a7340", "#1f9db5", "#c65fb0", "#6b7280", "#8f961c")
"""Readable on light and on dark ground, told apart by most kinds of eyes; the ninth is for what stands behind."""


@dataclass
class Page:
    """A page in the making: sections in order, each under a heading that the contents link to."""

    title: str
    lead: Markup = field(default_factory=Markup)
    """HTML under the title."""
    sections: list[tuple[str, Markup]] = field(default_factory=list)
    figures: dict[str, Figure] = field(default_factory=dict)

    def section(self, heading: str, *parts: Markup) -> None:
        """Add a section of HTML parts."""
        self.sections.append((heading, Markup("\n").join(parts)))

    def figure(
        self,
        figure: Figure,
        title: str,
        height: int = 360,
        name: str = "",
        numbers: Markup | None = None,
        note: str = "",
    ) -> Markup:
        """A figure as HTML; `title` and `note` say in words what it shows, for those who cannot see it too.

        `name` is the same for the same figure of a live page's next state; `numbers`, a table, is what the figure
        shows, to be unfolded below it: what is drawn, if left out.
        """
        anchor = f"figure-{name or len(self.figures)}"
        self.figures[anchor] = figure
        return part("figure", anchor, title, note, height, numbers or table(*numbers_of(figure)))

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
        return (
            environment()
            .get_template("page.html")
            .render(
                title=self.title,
                lead=self.lead,
                live=live,
                contents=self._contents(),
                sections=[self._section(heading, html) for heading, html in self.sections],
                figures=Markup(as_script(self.figures)),
                plotly=Markup(plotly_script()),
                style=Markup(_resource("page.css")),
                script=Markup(_resource("page.js") + (_resource("live.js") if live else "")),
            )
        )

    def _contents(self) -> Markup:
        return part("contents", [(_anchor(name), name) for name, _ in self.sections])

    @staticmethod
    def _section(heading: str, html: Markup) -> Markup:
        return part("section", _anchor(heading), heading, html)


def write_page(page: Page, path: Path) -> Path:
    """Write a page into a file; returns its path. Raises InputError where it cannot be written."""
    return write_file(path, page.html().encode())


def as_script(value: Any) -> str:
    """A value as JSON that may stand inside a script element, where "</script" and "<!--" have a meaning of their own.

    See WHATWG HTML, 4.12.1.3, restrictions for contents of script elements.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


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


def _resource(name: str) -> str:
    return (files("hothouse.report") / name).read_text(encoding="utf-8")
