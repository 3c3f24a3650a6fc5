"""ClientApps that tests put on grids."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

echo = ClientApp()
"""Replies with what it was sent, and who replied."""


@echo.query()
def _echo(message: Message, context: Context) -> Message:
    content = RecordDict(dict(message.content))
    content["node"] = ConfigRecord({"id": context.node_id, "pid": os.getpid(), **context.node_config})
    return Message(content, reply_to=message)


trouble = ClientApp()
"""Does what the message's config tells it: raise, die, or die the first few times."""


@trouble.query()
def _trouble(message: Message, context: Context) -> Message:
    config = message.content.config_records["config"]
    if config.get("raise"):
        raise ValueError(str(config["raise"]))
    time.sleep(float(config.get("sleep", 0)))  # type: ignore[arg-type]
    while "until" in config and not Path(str(config["until"])).exists():
        time.sleep(0.01)
    if "deaths" in config:
        marks = Path(str(config["marks"]))
        if len(list(marks.iterdir())) < int(config["deaths"]):  # type: ignore[arg-type]
            (marks / str(time.monotonic_ns())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return Message(RecordDict({"config": ConfigRecord({"pid": os.getpid()})}), reply_to=message)
