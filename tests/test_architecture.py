"""The house plan: layers point one way, public names stay, every feature is one file and one line."""

from __future__ import annotations

import subprocess
import sys
import tomllib
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
    heavy = "{'torch', 'flwr', 'ray', 'sklearn', 'pandas', 'pyarrow'} & set(sys.modules)"
    every = "names = [name for family in FAMILIES.values() for name in family.parts]; assert 'scaffold' in names"
    imports = "import sys, common.scenario; from common.scenario.registry import FAMILIES"
    code = f"{imports}; {every}; found = {heavy}; assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_server_never_imports_what_clients_do() -> None:
    halves = "[implementation(part, 'server') for part in STRATEGIES.parts.values()]"
    theirs = "[name for name in sys.modules if name.split('.')[0] == 'clients' or name.endswith('.client')]"
    imports = "import sys, server.app, server.rounds; from common.scenario.strategy import STRATEGIES"
    more = "from common.scenario.registry import implementation"
    own = f"found = [name for name in {theirs} if name.startswith(('clients', 'common.methods'))]"
    code = f"{imports}; {more}; assert len({halves}) > 20; {own}; assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_part_that_is_no_method_is_one_file() -> None:
    for title in set(FAMILIES) - {"strategies"}:
        for part in FAMILIES[title].parts.values():
            for where in part.halves.values():
                assert where.partition(":")[0] == part.__module__


def test_a_method_is_one_package() -> None:
    for part in FAMILIES["strategies"].parts.values():
        package = Path(part.__module__.replace(".", "/")).parent
        assert part.__module__.endswith(".options"), part
        for where in part.halves.values():
            module = where.partition(":")[0]
            home = Path(module.replace(".", "/")).parent
            assert home in (package, Path("common/methods/flower")), where


def test_product_code_knows_no_folder_of_a_machine() -> None:
    for package in PACKAGES:
        for path in (REPOSITORY / package).rglob("*.py"):
            text = path.read_text()
            assert "sys.path" not in text, path
            assert "/tmp" not in text, path
            assert "../shared" not in text, path


def test_every_pattern_of_what_flower_bundles_has_files() -> None:
    """Flower refuses to build an app otherwise, and with it every `flwr run`."""
    app = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["flwr"]["app"]
    for pattern in app["fab-include"]:
        assert any(REPOSITORY.glob(pattern)), pattern
