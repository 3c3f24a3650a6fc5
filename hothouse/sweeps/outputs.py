"""What a sweep leaves behind besides its runs: a table, and a page."""

from __future__ import annotations

from common.errors import RunError
from common.whole_files import write_whole
from hothouse.sweeps.page import sweep_page
from hothouse.sweeps.result import Sweep

TABLE, PAGE = "results.csv", "report.html"


def write_outputs(sweep: Sweep) -> None:
    """Write the table and the page of all runs so far. Raises RunError where the disk has no room for them."""
    try:
        write_whole(sweep.folder / TABLE, sweep.table.to_csv(index=False).encode())
        write_whole(sweep.folder / PAGE, sweep_page(sweep).html().encode())
    except OSError as error:
        raise RunError(f"the sweep's results cannot be written: {error.filename}: {error.strerror}") from None
