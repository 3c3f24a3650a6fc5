"""A run, read back from its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import InputError
from common.run_files import check_plain, read_lines, read_metrics, read_object
from common.scenario import Scenario, load_scenario
from common.scenario.uses import trusting
from common.wording import first_few

if TYPE_CHECKING:
    import pandas as pd

    from common.models.predictor import Predictor


@dataclass(frozen=True)
class RunFolder:
    """What a run left in its folder; each part is read when it is asked for."""

    folder: Path
    trust_code: bool = False
    """Whether code that came with an imported run is run where it is needed."""

    @cached_property
    def summary(self) -> dict[str, Any]:
        """summary.json: status, final and best metrics, seconds, versions, seed."""
        return read_object(self.folder / "summary.json")

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """metrics.jsonl as a table: a row per round, from round 0."""
        import pandas as pd

        return pd.DataFrame(read_metrics(self.folder / "metrics.jsonl"))

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """events.jsonl: retries, exclusions and what else happened."""
        return read_lines(self.folder / "events.jsonl")

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario with every default filled in."""
        with trusting(self.trust_code):
            return recorded_scenario(self.folder / "scenario.yaml")

    @property
    def model(self) -> Predictor:
        """The final global model: a torch.nn.Module that takes raw examples.

        Raises InputError where clients keep parts of it, or all, so that those of the global one were never trained.
        """
        model, strategy = self.stored_model, self.scenario.federation.strategy
        own = strategy.personal(model.network.arrays()) if model.client is None else []
        if own:
            raise InputError(
                f"{self.folder}: with {strategy.name} clients keep {first_few(own, 2)} to themselves, and the global "
                "model's were never trained. own_model(CLIENT), or --client CLIENT, gives a client's own model"
            )
        return model

    @cached_property
    def stored_model(self) -> Predictor:
        """What model.safetensors holds, trained or not."""
        from common.models.model_file import load_model

        path = self.folder / "model.safetensors"
        if not path.is_file():
            status = self.summary.get("status", "of unknown status")
            raise InputError(f"{self.folder}: no model there yet; the run is {status}")
        try:
            with trusting(self.trust_code):
                return load_model(path)
        except ValueError as error:
            raise InputError(f"{path}: {error}") from None


def recorded_scenario(path: Path, overrides: Sequence[str] = ()) -> Scenario:
    """The scenario that a run or a sweep keeps in its folder, changed by KEY=VALUE `overrides`.

    Raises InputError where it is not valid, or no plain file: a scenario that a user names may come from a pipe, a
    kept one may not.
    """
    check_plain(path)
    return load_scenario(path, overrides)


def run_folder(folder: str | Path) -> RunFolder:
    """The run in a folder. Raises InputError where there is none."""
    folder = Path(folder)
    if not (folder / "summary.json").is_file():
        raise InputError(f"{folder}: expected a run's folder, found no summary.json there")
    return RunFolder(folder)
