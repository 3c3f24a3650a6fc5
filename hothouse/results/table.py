"""What came out of a run as a table: for the terminal, for notebooks, for the model card."""

from __future__ import annotations

from typing import Any

_HIDDEN = ("round", "seconds", "clients", "bytes_down", "bytes_up", "bytes_evaluation", "delta", "releases")
_HIDDEN_ENDINGS = ("_seconds", "_mean", "_best_10", "_variance", "_jain")


def result_rows(summary: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The heads and the rows of a summary's last round and, where rounds were judged, of the best one beside it."""
    final, best = summary["final"], summary["best"]
    heads = ["", "last round", *([f"best by {best['by'].replace('_', ' ')} (round {best['round']})"] if best else [])]
    rows = []
    for name, value in final.items():
        left_out = name in _HIDDEN or name.startswith("epsilon_") or name.endswith(_HIDDEN_ENDINGS)
        if not left_out and value is not None:
            told = name.replace("_10", ", 10%").replace("_", " ").replace(" ,", ",")
            rows.append([told, f"{value:.4f}", *([_number(best.get(name))] if best else [])])
    return heads, rows


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4f}"
