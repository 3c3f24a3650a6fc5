"""How to get the same bits again."""

from __future__ import annotations

from hothouse.report.page import Page, code, paragraph
from hothouse.report.records import Records


def parts(page: Page, records: Records) -> list[str]:
    """The commands, and what must be the same."""
    versions = records.summary.get("versions", {})
    kept = [f"{name}=={versions[name]}" for name in ("flwr", "torch", "numpy") if name in versions]
    again = (
        f"pip install {' '.join(kept)}\nhothouse run {records.folder / 'scenario.yaml'} --out again\n"
        f"cmp {records.folder / 'model.safetensors'} again/model.safetensors"
    )
    lead = (
        "The scenario above has every default filled in. With the same data and versions it gives the same bits, "
        "whatever the number of workers, on Ray or in one process; another processor or another PyTorch may differ in "
        "the last digits."
    )
    return [paragraph(lead), code(again)]
