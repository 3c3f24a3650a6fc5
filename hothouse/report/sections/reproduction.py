"""How to get the same bits again."""

from __future__ import annotations

from shlex import quote

from markupsafe import Markup

from hothouse.report.page import Page
from hothouse.report.parts import code, paragraph
from hothouse.results.records import RunRecords


def parts(page: Page, records: RunRecords) -> list[Markup]:
    """The commands, and what must be the same."""
    versions = records.summary.get("versions", {})
    # Quoted: who copies them runs them, and a run that was imported may say anything of its versions.
    kept = [quote(f"{name}=={versions[name]}") for name in ("flwr", "torch", "numpy") if name in versions]
    scenario, model = (quote(str(records.home / name)) for name in ("scenario.yaml", "model.safetensors"))
    again = f"pip install {' '.join(kept)}\nhothouse run {scenario} --out again\ncmp {model} again/model.safetensors"
    lead = (
        "The scenario above has every default filled in. With the same data and versions it gives the same bits, "
        "whatever the number of workers, on Ray or in one process; another processor or another PyTorch may differ in "
        "the last digits."
    )
    return [paragraph(lead), code(again)]
