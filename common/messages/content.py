"""What a message holds, without paying for Flower's type checks at every look."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flwr.app import ArrayRecord, ConfigRecord, MetricRecord, RecordDict

from common.compat.flower import fill, written_as

MessageRecords = Mapping[str, ArrayRecord | MetricRecord | ConfigRecord]
"""Records by name, as a message holds them."""


@written_as(RecordDict)
class Content(RecordDict):
    """A message's records, of types that are known to be right.

    Flower's own checks each record's type when it joins and again whenever the records of a kind are looked up,
    which in rounds of a few milliseconds is most of what a message costs. A look gives a dictionary of its own:
    what is changed in it does not change the message.
    """

    def __init__(self, records: MessageRecords) -> None:
        super().__init__()
        fill(self, records)

    @property
    def array_records(self) -> dict[str, ArrayRecord]:  # type: ignore[override]
        """The records of arrays, by name."""
        return {name: record for name, record in self.items() if isinstance(record, ArrayRecord)}

    @property
    def metric_records(self) -> dict[str, MetricRecord]:  # type: ignore[override]
        """The records of metrics, by name."""
        return {name: record for name, record in self.items() if isinstance(record, MetricRecord)}

    @property
    def config_records(self) -> dict[str, ConfigRecord]:  # type: ignore[override]
        """The records of settings, by name."""
        return {name: record for name, record in self.items() if isinstance(record, ConfigRecord)}

    def __reduce__(self) -> tuple[Callable[[MessageRecords], Content], tuple[MessageRecords]]:
        return _content, (dict(self.items()),)


def _content(records: MessageRecords) -> Content:
    return Content(records)
