"""How a run that nobody else watches tells of itself: a line per round for Flower's log, and the report in the end."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.extend.events import Event, Notice, Observer, RunStarted
from common.run_files import Metrics

_SHOWN = ("train_loss", "test_loss", "test_accuracy", "test_rmse")
_QUIET = ("checkpoint",)


class ConsoleObserver(Observer):
    """Prints a line per round and per event."""

    def __init__(self, folder: Path) -> None:
        print(f"run folder: {folder}", flush=True)

    def on_event(self, event: Event) -> None:
        """Print what is about to run, and what happened, checkpoints apart."""
        match event:
            case RunStarted():
                print(f"{len(event.clients)} clients, {event.rounds} rounds, {event.parameters} parameters", flush=True)
            case Notice(name=name, details=details) if name not in _QUIET:
                whom = f" clients {details['clients']}" if "clients" in details else ""
                print(f"round {event.round}: {name}{whom}: {details.get('reason', '')}", flush=True)

    def on_round_end(self, metrics: Metrics) -> None:
        """Print a round's numbers."""
        shown = [f"{name} {metrics[name]:.4f}" for name in _SHOWN if metrics.get(name) is not None]
        told = ", ".join([f"{metrics['clients']} clients", *shown])
        print(f"round {metrics['round']}: {told}, {metrics['seconds']:.2f} s", flush=True)


@contextmanager
def report_at_end(folder: Path, writer: str) -> Iterator[None]:
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
