"""The few numbers that people quote."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from hothouse.report.page import Page, duration, size
from hothouse.report.parts import facts
from hothouse.results.records import SPLITS, RunRecords, display_name


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """The last and the best round's metric, and how much there was of everything."""
    summary, metrics = records.summary, records.metrics
    told: list[tuple[str, Any]] = []
    if records.primary is not None:
        name = records.primary[0]
        for split in SPLITS:
            _, values = records.column(f"{split}_{name}")
            if values:
                told.append((display_name(f"{split}_{name}"), values[-1]))
        best = summary.get("best")
        if best:
            told.append((f"best {display_name(best['by'])}, round {best['round']}", best[best["by"]]))
    told.append(("rounds", metrics[-1]["round"] if metrics else 0))
    told += [(name, summary[name]) for name in ("clients", "parameters") if name in summary]
    seconds = sum(line["seconds"] for line in metrics)
    told.append(("time", duration(seconds)))
    trained = sum(line["clients"] for line in metrics)
    if seconds:
        told.append(("clients trained per second", float(f"{trained / seconds:.3g}")))
    if "engine" in summary:
        told.append(("trainer", _trainer(summary)))
    told.append(("sent and received", size(sum(line["bytes_down"] + line["bytes_up"] for line in metrics))))
    return [facts(told)]


def _trainer(summary: dict[str, Any]) -> str:
    """What trained, and why not the compiled trainer, or not stacks of clients."""
    whole = f"{summary['engine']}: {summary['engine_reason']}" if "engine_reason" in summary else summary["engine"]
    return f"{whole}; clients one by one: {summary['one_by_one']}" if "one_by_one" in summary else str(whole)
