"""What a message holds, without paying for Flower's type checks at every look."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flwr.app import ArrayRecord, ConfigRecord, MetricRecord, RecordDict

Records = Mapping[str, ArrayRecord | MetricRecord | ConfigRecord]
"""Records by name, as a message holds them."""


class Content(RecordDict):
    """A message's records, of types that are known to be right.

    Flower's own checks each record's type when it joins and again whenever the records of a kind are looked up,
    which in rounds of a few milliseconds is most of what a message costs. A look gives a dictionary of its own:
    what is changed in it does not change the message.
    """

    def __init__(self, records: Records) -> None:
        super().__init__()
        self.__dict__["_data"].update(records)

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

    def __reduce__(self) -> tuple[Callable[[Records], Content], tuple[Records]]:
        return _content, (dict(self.items()),)


# Over the network Flower writes the class's name, and the other side looks it up.
Content.__qualname__ = RecordDict.__qualname__


def _content(records: Records) -> Content:
    return Content(records)
