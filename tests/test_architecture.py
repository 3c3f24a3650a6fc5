"""The house plan: layers point one way, public names stay, every feature is one file and one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import hothouse
from clients.optimizers import OPTIMIZERS
from clients.training.schedules import SCHEDULES
from common.losses import LOSSES
from common.models.activations import ACTIVATIONS
from common.models.initializations import INITIALIZATIONS
from common.models.normalizations import NORMALIZATIONS
from common.scenario import (
    activations,
    initializations,
    losses,
    normalizations,
    optimizers,
    schedules,
    selection,
    strategies,
    tracking,
)
from common.scenario.base import name_of
from server.selection import SELECTIONS
from server.strategies import STRATEGIES
from server.trackers import TRACKERS
from tests.conftest import REPOSITORY

PACKAGES = ("common", "server", "clients", "hothouse")


def test_layers_point_one_way() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_public_names_are_these() -> None:
    functions = ["compare", "lineage", "load", "resume", "run", "sweep"]
    assert hothouse.__all__ == ["InputError", "Run", "RunError", "Sweep", "__version__", *functions]
    for name in hothouse.__all__:
        assert getattr(hothouse, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hothouse.nothing


def test_importing_hothouse_is_cheap() -> None:
    heavy = "{'torch', 'ray', 'flwr', 'pandas', 'sklearn', 'optuna', 'mlflow'} & set(sys.modules)"
    code = f"import sys, hothouse, hothouse.cli; found = {heavy}; assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("registry", "named"),
    [
        (OPTIMIZERS, [name_of(part, "name") for part in optimizers.OPTIMIZERS]),
        (SELECTIONS, [name_of(part, "name") for part in selection.SELECTIONS]),
        (STRATEGIES, [name_of(part, "name") for part in strategies.STRATEGIES]),
        (ACTIVATIONS, [name_of(part, "name") for part in activations.ACTIVATIONS]),
        (INITIALIZATIONS, [name_of(part, "name") for part in initializations.INITIALIZATIONS]),
        (NORMALIZATIONS, [name_of(part, "name") for part in normalizations.NORMALIZATIONS[1:]]),
        (LOSSES, [name_of(part, "name") for part in losses.LOSSES[1:]]),
        (SCHEDULES, [name_of(part, "name") for part in schedules.SCHEDULES]),
        (TRACKERS, [name_of(part, "kind") for part in tracking.TRACKERS]),
    ],
    ids=[
        "optimizers",
        "selections",
        "strategies",
        "activations",
        "initializations",
        "normalizations",
        "losses",
        "schedules",
        "trackers",
    ],
)
def test_what_the_schema_names_is_registered(registry: dict[str, Any], named: Any) -> None:
    assert set(registry) == set(named)


def test_product_code_knows_no_folder_of_a_machine() -> None:
    for package in PACKAGES:
        for path in (REPOSITORY / package).rglob("*.py"):
            text = path.read_text()
            assert "sys.path" not in text, path
            assert "/tmp" not in text, path
            assert "../shared" not in text, path
