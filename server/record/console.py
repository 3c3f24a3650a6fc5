"""How a run that nobody else watches tells of itself: a line per round for Flower's log, and the report in the end."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.run_files import Metrics
from server.record.observers import Observer

_SHOWN = ("train_loss", "test_loss", "test_accuracy", "test_rmse")
_QUIET = ("checkpoint",)


class ConsoleObserver(Observer):
    """Prints a line per round and per event."""

    def __init__(self, folder: Path) -> None:
        print(f"run folder: {folder}", flush=True)

    def started(self, rounds: int, clients: int, parameters: int) -> None:
        """Print what is about to happen."""
        print(f"{clients} clients, {rounds} rounds, {parameters} parameters", flush=True)

    def round_ended(self, metrics: Metrics) -> None:
        """Print a round's numbers."""
        shown = [f"{name} {metrics[name]:.4f}" for name in _SHOWN if metrics.get(name) is not None]
        told = ", ".join([f"{metrics['clients']} clients", *shown])
        print(f"round {metrics['round']}: {told}, {metrics['seconds']:.2f} s", flush=True)

    def happened(self, event: str, round_number: int, details: dict[str, Any]) -> None:
        """Print what happened, checkpoints apart."""
        if event not in _QUIET:
            whom = f" clients {details['clients']}" if "clients" in details else ""
            print(f"round {round_number}: {event}{whom}: {details.get('reason', '')}", flush=True)


@contextmanager
def reported(folder: Path, writer: str) -> Iterator[None]:
    """However the run ends, have its report written by `writer`, a `module:function`; empty for none.

    The report is no part of the server, which may run where it is not installed; a run is worth more than its report.
    """
    try:
        yield
    finally:
        if writer:
            module, _, function = writer.partition(":")
            try:
                getattr(importlib.import_module(module), function)(folder)
            except Exception as error:
                print(f"the report could not be written: {type(error).__name__}: {error}", flush=True)
