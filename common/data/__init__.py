"""Data: sources read it, partitions share it out, every process maps the same prepared files."""

from common.data.prepare import open_prepared, prepare
from common.data.prepared import Prepared

__all__ = ["Prepared", "open_prepared", "prepare"]
