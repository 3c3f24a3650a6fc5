"""The house plan: layers point one way, public names stay, every feature is one file and one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import common.scenario  # noqa: F401 (it declares all that there is)
import hothouse
from common.scenario.registry import FAMILIES, implementation
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


@pytest.mark.parametrize("title", FAMILIES)
def test_what_a_part_declares_can_be_loaded(title: str) -> None:
    family = FAMILIES[title]
    assert family.parts
    for name, part in family.parts.items():
        assert part.model_fields[family.tag].default == name
        for half in part.halves:
            assert implementation(part, half) is not None


def test_reading_every_option_imports_neither_torch_nor_flwr() -> None:
    heavy = "{'torch', 'flwr', 'ray', 'sklearn', 'pandas'} & set(sys.modules)"
    code = f"import sys, common.scenario; found = {heavy}; assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_product_code_knows_no_folder_of_a_machine() -> None:
    for package in PACKAGES:
        for path in (REPOSITORY / package).rglob("*.py"):
            text = path.read_text()
            assert "sys.path" not in text, path
            assert "/tmp" not in text, path
            assert "../shared" not in text, path
