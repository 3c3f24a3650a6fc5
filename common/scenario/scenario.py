"""The scenario: everything that decides the outcome of a run, in one frozen value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from common.scenario.base import Part, key, refuse
from common.scenario.callbacks import Callback
from common.scenario.checkpoints import Checkpoints
from common.scenario.data import Data
from common.scenario.evaluation import Evaluation
from common.scenario.federation import Federation
from common.scenario.model import MLPModel, Model
from common.scenario.normalizations import NormalizationPart
from common.scenario.partitions import clients_of
from common.scenario.strategy import STRATEGIES
from common.scenario.sweep import Matrix, Search, Seeds
from common.scenario.tracking import Tracker
from common.scenario.trainers import uncovered
from common.scenario.training import Training
from common.scenario.uses import Uses, read_uses, remember, texts_of

_OF_STEPS = (
    *("optimizer", "optimizer_state", "schedule", "clip_norm", "clip_value", "loss", "regularization"),
    *("mixup", "early_stopping"),
)
"""What a scenario says of training that a client's own loop does without."""


class Scenario(Part):
    """A Hothouse scenario."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)] = key(
        "A name for the run's folder: letters, digits, dot, dash and underscore.", "run"
    )
    seed: int = key("Every random draw follows from it.", 0, unit="none", ge=0, lt=2**63)
    uses: Uses = key(
        "Files with parts of your own, or installed modules: what they declare can be named like built-in parts.",
        (),
        strict=False,
    )
    data: Data = key("Where the examples come from, what is held out and how they are partitioned.")
    model: Model = key("The network that every client trains.", MLPModel())
    training: Training = key("What each client does with its shard.", Training())
    federation: Federation = key("What the server does.", Federation())
    evaluation: Evaluation = key("When and on what the global model is measured.", Evaluation())
    checkpoints: Checkpoints = key("How often the run's state is saved.", Checkpoints())
    callbacks: tuple[Callback, ...] = key("What can end the run before its last round.", (), strict=False)
    tracking: tuple[Tracker, ...] = key("Where a run's numbers go besides its own folder.", (), strict=False)
    matrix: Matrix | None = key(
        "For each dotted key of the scenario a list of values: a sweep runs every combination of them.", None
    )
    seeds: Seeds | None = key(
        "A sweep runs everything with each of these seeds; a number is so many, from `seed` on.", None, unit="seeds"
    )
    search: Search | None = key("A sweep that looks for the best values, in place of matrix and seeds.", None)

    def __reduce__(self) -> Any:
        """Pickled as its values, with the files that it uses: whoever unpickles it cannot import their classes."""
        if not self.uses:
            return super().__reduce__()
        return _unpickled, (self.model_dump(mode="json", exclude_none=True), texts_of(self.uses))

    @model_validator(mode="after")
    def _fits(self) -> Scenario:
        if self.training.early_stopping is not None and not self.data.client_holdout:
            raise refuse(
                "training.early_stopping", "data.client_holdout above 0: examples of its own that a client judges by"
            )
        strategy = self.federation.strategy
        find_conflict = strategy.find_conflict(self.data, self.model, self.training)
        if find_conflict is not None:
            raise refuse(*find_conflict)
        if strategy.robust and getattr(self._normalization, "statistics", "") == "recomputed":
            raise refuse(
                "model.normalization.statistics",
                f"averaged with {strategy.name}: what is recomputed comes as sums, which a single client can falsify",
            )
        self._leaves_steps_to_own_loops()
        self._keeps_privacy()
        beyond = uncovered(self.model, self.training, self.federation.strategy)
        if self.training.trainer == "compiled" and beyond is not None:
            raise refuse("training.trainer", f"auto or torch: {beyond} is not among what the compiled trainer does")
        rule = self.federation.selection
        if rule.sampling_rate() is not None:
            self._has_cohorts_of_any_size()
        clients, cohort = clients_of(self.data.partition), self.federation.clients_per_round
        if clients is None:
            return self
        if self.federation.privacy is not None:
            self.federation.privacy.check_cohort(expected_cohort(self.federation, clients))
        if rule.sampling_rate() is not None:
            return self
        if isinstance(cohort, int) and cohort > clients:
            raise refuse(
                "federation.clients_per_round",
                f"at most the {clients} clients of data.partition.clients (or 1.0 for all)",
            )
        size = cohort_size(cohort, clients)
        if self.federation.min_clients > size:
            raise refuse("federation.min_clients", f"at most the {size} clients of a round's cohort")
        rule.check_cohort(size)
        if strategy.fewest > size:
            raise refuse(
                "federation.strategy",
                f"options that {size} clients a round allow: these need {strategy.fewest}, since {strategy.bound}",
            )
        return self

    @property
    def _normalization(self) -> NormalizationPart | None:
        """What normalizes the layers of an MLP."""
        return self.model.normalization if isinstance(self.model, MLPModel) else None

    def _has_cohorts_of_any_size(self) -> None:
        name = self.federation.selection.name
        if self.federation.clients_per_round != 1.0:
            raise refuse("federation.clients_per_round", f"it left out with {name}, which sets the cohort's size")
        if self.federation.min_clients != 1:
            raise refuse("federation.min_clients", f"it left out with {name}: a round may have no clients")

    def _leaves_steps_to_own_loops(self) -> None:
        """What a scenario says of steps would have no effect where clients train in loops of their own."""
        if self.federation.strategy.own_loop:
            for name in _OF_STEPS:
                if getattr(self.training, name) != Training.model_fields[name].default:
                    raise refuse(
                        f"training.{name}",
                        f"it left out with {self.federation.strategy.name}, whose clients train in a loop of their own",
                    )

    def _keeps_privacy(self) -> None:
        if self.federation.privacy is None:
            return
        if not self.federation.strategy.only_mean:
            names = ", ".join(name for name, part in STRATEGIES.parts.items() if getattr(part, "only_mean", False))
            raise refuse("federation.strategy", f"one that sees clients only through their mean, for privacy: {names}")
        rule = self.federation.selection
        if rule.needs_client_losses:
            raise refuse(
                "federation.selection", "a rule that does not use clients' losses, for privacy; uniform, by_size, …"
            )
        if self.federation.privacy.accounting == "without-replacement" and not rule.uniform:
            raise refuse("federation.privacy.accounting", f"no-amplification: {rule.name} is no uniform draw")
        if self._normalization is not None and self._normalization.name == "batch":
            raise refuse(
                "model.normalization",
                "none or layer, for privacy: running statistics leave clients without noise",
            )

    @model_validator(mode="after")
    def _one_sweep(self) -> Scenario:
        if self.search is None:
            return self
        for name in ("matrix", "seeds"):
            if getattr(self, name) is not None:
                raise refuse(name, f"either search or {name}, not both")
        metric = self.search.metric or ""
        splits = {"validation": self.data.validation_fraction, "holdout": self.data.client_holdout}
        if not any(splits.values()):
            raise refuse(
                "search",
                "examples to judge by: data.validation_fraction or data.client_holdout above 0, "
                "since nothing is selected on test examples",
            )
        needed = {"validation": "validation_fraction", "holdout": "client_holdout", "personal": "client_holdout"}
        for split, name in needed.items():
            if metric.startswith(f"{split}_") and not getattr(self.data, name):
                raise refuse("search.metric", f"data.{name} above 0 for {metric}")
        return self

    @property
    def sweeps(self) -> str | None:
        """The key that makes this a sweep and not a run, if there is one."""
        return next((name for name in ("matrix", "seeds", "search") if getattr(self, name) is not None), None)


def _unpickled(values: dict[str, Any], texts: list[bytes]) -> Scenario:
    remember(texts)
    loaded = read_uses(values["uses"], Path())
    with loaded.active():
        return Scenario.model_validate(values)


def expected_cohort(federation: Federation, clients: int) -> float:
    """How many of `clients` are expected to take part in a round."""
    rate = federation.selection.sampling_rate()
    return cohort_size(federation.clients_per_round, clients) if rate is None else rate * clients


def cohort_size(clients_per_round: int | float, clients: int) -> int:
    """How many of `clients` a round selects: an integer is the number, a decimal a fraction, at least one."""
    if isinstance(clients_per_round, int):
        return clients_per_round
    return max(1, round(clients_per_round * clients))
