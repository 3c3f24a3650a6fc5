"""What is written down is what is there: the reference, the schema, the scenarios that ship."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import jsonschema
import pytest
import yaml

from common.errors import InputError
from common.scenario import load_scenario
from common.scenario.document import read_document
from hothouse.inspect.reference import reference_text, schema_text
from tests.conftest import REPOSITORY, shared_data

SCENARIOS = sorted((REPOSITORY / "scenarios").rglob("*.yaml"))


@pytest.mark.parametrize(("name", "text"), [("scenario.schema.json", schema_text), ("scenario.md", reference_text)])
def test_the_reference_is_up_to_date(name: str, text: object) -> None:
    assert callable(text)
    assert (REPOSITORY / "docs" / name).read_text(encoding="utf-8") == text(), "run `make docs`"


@cache
def schema() -> jsonschema.Draft202012Validator:
    """The schema of scenarios."""
    return jsonschema.Draft202012Validator(json.loads(schema_text()))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_that_ships_is_right_and_explains_itself(path: Path) -> None:
    load_scenario(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    address = re.fullmatch(r"# yaml-language-server: \$schema=(.+)", lines[0])
    assert address, "editors find the schema in the first line"
    assert (path.parent / address[1]).resolve() == REPOSITORY / "docs" / "scenario.schema.json"
    assert lines[1].startswith("# "), "a comment says what it shows"
    schema().validate(read_document(path).values)


def test_links_lead_somewhere() -> None:
    for page in [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md"), *REPOSITORY.glob("benchmarks/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_yaml_in_the_readme_is_a_scenario() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        try:
            load_scenario(yaml.safe_load(block))
        except InputError as error:
            pytest.fail(str(error))


FORMULAS = REPOSITORY / "docs" / "mathematics.md"


def test_every_formula_names_code_and_tests_that_are_there() -> None:
    rows = [line for line in FORMULAS.read_text(encoding="utf-8").splitlines() if re.match(r"\| \d", line)]
    assert len(rows) > 20
    for row in rows:
        *_, code, tests, _ = re.split(r" ?\| ?", row)
        assert code.startswith("`"), row
        assert tests.startswith("`tests/"), row
        for path, name in re.findall(r"`([\w/]+\.\w+)::(\w+)`", code + tests):
            text = (REPOSITORY / path).read_text(encoding="utf-8")
            defined = rf"(?:def|class) {name}\b|^{name}\b.* = |\"{name}\": |^[\w ]+ \*?{name}\("
            assert re.search(defined, text, re.MULTILINE), f"{path} has no {name}"


def test_every_formula_that_was_asked_for_has_a_line() -> None:
    asked = shared_data("..") / "equations.md"
    if not asked.exists():
        pytest.skip("no equations.md beside the repository")

    def lines(page: Path) -> list[tuple[str, str]]:
        """Section and first word of each line, in order."""
        found = re.findall(r"^\| (\d[.\d]*) \| ([\w-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
        return list(dict.fromkeys(found))

    assert lines(FORMULAS) == lines(asked)
