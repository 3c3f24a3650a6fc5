"""TensorBoard's event files, by torch.utils.tensorboard."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import yaml

from common.errors import InputError
from common.extend.tracker import RunStatus, TrackedRun, Tracker, measured
from common.run_files import Metrics
from common.scenario.base import FilePath, key
from common.scenario.tracking import TrackerPart
from common.trackers.places import place_of

_SPLITS = ("train", "test", "validation", "holdout", "personal")


class TensorBoardTracking(TrackerPart, name="tensorboard", runs=":TensorBoardTracker"):
    """Event files for TensorBoard; needs hothouse[tensorboard]."""

    package: ClassVar[str | None] = "tensorboard"

    folder: FilePath | None = key(
        "A log directory: the run goes into a folder of its own name there. "
        "`tensorboard` in the run's own folder if left out.",
        None,
    )


class TensorBoardTracker(Tracker):
    """Scalars per round, grouped by what they are measured on, and the scenario as hyper-parameters and text.

    Event files cannot be corrected, so a resumed run writes its rounds anew, each at the time it took.
    """

    def __init__(self, spec: TensorBoardTracking, run: TrackedRun) -> None:
        """Write what there is so far. Raises InputError where the folder cannot be written to."""
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        folder = run.folder / "tensorboard" if spec.folder is None else Path(spec.folder)
        try:
            if spec.folder is not None:
                folder = place_of(run.folder, Path(spec.folder))
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob("events.out.tfevents.*"):
                old.unlink()
            # A TensorBoard that is looking on drops what it has read from the files that are gone.
            self._writer = SummaryWriter(str(folder), purge_step=0)
        except OSError as error:
            raise InputError(f"{folder}: cannot be written to ({error.strerror})") from None
        plain = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in run.settings.items()
        }
        summarize: Any = hparams  # PyTorch gives it no types
        experiment, begin, self._end = summarize(plain, {})
        for summary in (experiment, begin):
            self._add(summary)
        self._writer.add_text("scenario", "".join(f"    {line}\n" for line in _yaml(run).splitlines()))
        at = time.time() - sum(entry["seconds"] for entry in run.history)
        for entry in run.history:
            at += entry["seconds"]
            self._write(entry, at)
        self._writer.flush()

    def on_round_end(self, metrics: Metrics) -> None:
        """Write the round's numbers."""
        self._write(metrics, time.time())
        self._writer.flush()

    def ended(self, how: RunStatus) -> None:
        """Close the file."""
        if how == "complete":
            self._add(self._end)
        self._writer.close()

    def _add(self, summary: Any) -> None:
        file: Any = self._writer.file_writer
        file.add_summary(summary)

    def _write(self, metrics: Metrics, at: float) -> None:
        for name, value in measured(metrics).items():
            self._writer.add_scalar(_tag(name), value, metrics["round"], walltime=at)


def _tag(name: str) -> str:
    """`test_accuracy` becomes `test/accuracy`: TensorBoard groups by what stands before the slash."""
    split, _, rest = name.partition("_")
    return f"{split}/{rest}" if split in _SPLITS else f"run/{name}"


def _yaml(run: TrackedRun) -> str:
    values = run.scenario.model_dump(mode="json", exclude_none=True, exclude={"tracking"})
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
