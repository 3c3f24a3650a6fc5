"""Lines and the bands around them, alike on every page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hothouse.report.page import Figure

Numbers = Sequence[float | int | None]


def line(x: Numbers, y: Numbers, name: str, colour: str, *, dash: str = "solid", unit: str = "") -> dict[str, Any]:
    """A line with a point at each number; gaps in `y` are bridged. Few points are marked."""
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(x) <= 40 else "lines",
        "name": name,
        "x": list(x),
        "y": list(y),
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"size": 5},
        "connectgaps": True,
        "hovertemplate": f"%{{y:.4~g}}{unit}",
    }


def band(x: Numbers, low: Numbers, high: Numbers, name: str, colour: str, group: str = "") -> dict[str, Any]:
    """The area between two lines; with `group`, the name of its line, the two come and go together."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [*x, *reversed(x)],
        "y": [*high, *reversed(low)],
        "fill": "toself",
        "fillcolor": with_opacity(colour, 0.18),
        "line": {"width": 0},
        "hoverinfo": "skip",
        **({"legendgroup": group, "showlegend": False} if group else {}),
    }


def curves(traces: list[dict[str, Any]], x: str, y: str, **layout: Any) -> Figure:
    """Lines over a common axis, whose numbers at one place are shown together."""
    axis = {"title": {"text": x}, **layout.pop("xaxis", {})}
    across = {"title": {"text": y}, **layout.pop("yaxis", {})}
    return {"data": traces, "layout": {"hovermode": "x unified", "xaxis": axis, "yaxis": across, **layout}}


def with_opacity(colour: str, opacity: float) -> str:
    """A colour that the ground shines through."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def bars(x: Sequence[Any], y: Numbers, colour: str, name: str = "", **more: Any) -> dict[str, Any]:
    """Bars of one colour."""
    return {"type": "bar", "name": name, "x": list(x), "y": list(y), "marker": {"color": colour}, **more}
