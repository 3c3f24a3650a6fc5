"""What is needed of Flower's records, messages and runs beyond what Flower documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flwr.app import Message
from flwr.common.constant import ErrorCode
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

__all__ = ["ErrorCode", "Run", "TaskIdentity", "fill", "set_message_id", "written_as"]

C = TypeVar("C", bound=type)


def fill(record: Any, entries: Mapping[str, Any]) -> None:
    """Add entries to a record, of types that are known to be right: Flower checks each as it joins."""
    record.__dict__["_data"].update(entries)


def set_message_id(message: Message, message_id: str) -> None:
    """Give a message its id, which Flower's own grids do on their way to a SuperLink."""
    message.metadata.__dict__["_message_id"] = message_id


def written_as(theirs: type) -> Callable[[C], C]:
    """Let a subclass travel as the class of Flower's that it takes the place of.

    Over the network Flower writes the class's name before the bytes, and the other side looks it up.
    """

    def named(ours: C) -> C:
        ours.__qualname__ = theirs.__qualname__
        return ours

    return named
