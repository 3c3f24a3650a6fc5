"""A scenario is strict, says what it means, and tells every mistake with its place."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from common.errors import InputError
from common.scenario import Scenario, cohort_size, dump_scenario, load_scenario
from common.scenario.draft import DraftChange, read_draft
from common.scenario.mistakes import parts_of

SMALLEST = {"data": {"source": {"kind": "sklearn", "name": "iris"}}}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    return path


def complaint(path: Path, *overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        load_scenario(path, overrides)
    return str(caught.value).replace(str(path), "FILE")


def parts(part: type[BaseModel]) -> set[type[BaseModel]]:
    """A part and all parts below it."""

    below = [found for field in part.model_fields.values() for found in parts_of(field)]
    return {part}.union(*(parts(found) for found in below)) if below else {part}


EVERY_PART = sorted(parts(Scenario), key=lambda part: (part.__module__, part.__name__))


def test_the_quickstart_reads_as_it_is_written(quickstart: Path) -> None:
    scenario = load_scenario(quickstart)
    assert scenario.data.partition.clients == 20
    assert scenario.model.layers == (64, 32)
    assert scenario.federation.strategy.name == "fedavg"


def test_only_the_source_is_required() -> None:
    scenario = load_scenario(SMALLEST)
    assert scenario.federation.rounds == 10
    assert scenario.training.optimizer.name == "sgd"


def test_a_resolved_scenario_reads_back_as_itself(tmp_path: Path, quickstart: Path) -> None:
    scenario = load_scenario(quickstart, ["training.optimizer.lr=1e-05", "training.epochs=2"])
    assert load_scenario(written(tmp_path, dump_scenario(scenario))) == scenario


def test_a_bare_name_stands_for_its_defaults() -> None:
    spelled = load_scenario({**SMALLEST, "federation": {"strategy": {"name": "fedavg"}}})
    assert load_scenario({**SMALLEST, "federation": {"strategy": "fedavg"}}) == spelled


def test_overrides_change_any_key_and_take_yaml_values(quickstart: Path) -> None:
    scenario = load_scenario(
        quickstart, ["federation.rounds=5", "model.layers=[8]", "training.optimizer.lr=1e-3", "model.layers.0=9"]
    )
    assert (scenario.federation.rounds, scenario.model.layers, scenario.training.optimizer.lr) == (5, (9,), 0.001)


def test_an_override_below_a_bare_name_keeps_the_name() -> None:
    scenario = load_scenario({**SMALLEST, "training": {"optimizer": "sgd"}}, ["training.optimizer.lr=0.25"])
    assert scenario.training.optimizer.lr == 0.25


def test_an_override_that_names_another_alternative_drops_what_only_the_old_one_knows(quickstart: Path) -> None:
    given = load_scenario(quickstart).data.partition
    assert (given.scheme, given.alpha) == ("dirichlet", 0.5)
    changed = load_scenario(quickstart, ["data.partition.scheme=iid"]).data.partition
    assert (changed.scheme, changed.clients) == ("iid", given.clients)


def test_so_does_a_combination_of_a_matrix_and_an_entry_of_a_list(quickstart: Path) -> None:
    changed = read_draft(quickstart).changed({"data.partition.scheme": DraftChange("iid", "matrix")}).scenario()
    assert changed.data.partition.scheme == "iid"
    noisy = {**SMALLEST, "training": {"augmentation": [{"kind": "feature_noise", "sigma": 0.5}]}}
    (entry,) = load_scenario(noisy, ["training.augmentation.0.kind=feature_dropout"]).training.augmentation
    assert entry.kind == "feature_dropout"


def test_but_neither_what_was_set_beside_it_nor_what_nobody_knows(quickstart: Path, tmp_path: Path) -> None:
    for overrides in (("alpha=0.1", "scheme=iid"), ("scheme=iid", "alpha=0.1")):
        said = complaint(quickstart, *(f"data.partition.{override}" for override in overrides))
        assert said.startswith("--set data.partition.alpha=0.1: data.partition.alpha: unknown key")
    path = written(tmp_path, quickstart.read_text().replace("alpha:", "alhpa:"))
    assert "data.partition.alhpa: unknown key" in complaint(path, "data.partition.scheme=iid")


def test_an_override_below_nothing_keeps_the_default() -> None:
    scenario = load_scenario(SMALLEST, ["training.optimizer.lr=0.25", "data.partition.clients=3"])
    assert (scenario.training.optimizer.name, scenario.training.optimizer.lr) == ("sgd", 0.25)
    assert (
        scenario.data.partition
        == load_scenario(
            SMALLEST | {"data": SMALLEST["data"] | {"partition": {"scheme": "iid", "clients": 3}}}
        ).data.partition
    )


def test_paths_are_relative_to_the_file_and_overrides_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "scenarios"
    folder.mkdir()
    path = written(folder, "data: {source: {kind: npz, path: ../rows.npz}}")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    in_file, overridden = load_scenario(path), load_scenario(path, ["data.source.path=mine.npz"])
    assert Path(in_file.data.source.path).resolve() == tmp_path / "rows.npz"
    assert Path(overridden.data.source.path) == elsewhere / "mine.npz"


def test_an_integer_is_a_number_of_clients_and_a_decimal_a_fraction() -> None:
    assert cohort_size(1, 50) == 1
    assert cohort_size(1.0, 50) == 50
    assert cohort_size(0.1, 50) == 5
    assert cohort_size(0.001, 50) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("1E5", 1e5), ("010", 10.0), (".5", 0.5), ("1_000", None), ("0x10", None), ("1:30", None)],
)
def test_bare_numbers_follow_yaml_1_2(tmp_path: Path, text: str, value: float | None) -> None:
    path = written(tmp_path, f"data: {{source: iris}}\ntraining: {{optimizer: {{name: sgd, lr: {text}}}}}")
    path.write_text(path.read_text().replace("source: iris", "source: {kind: sklearn}"))
    if value is None:
        assert "expected a number" in complaint(path)
    else:
        assert load_scenario(path).training.optimizer.lr == value


MISTAKES = {
    "unknown key": ("dta: 1", "FILE:1: dta: unknown key; did you mean data?"),
    "unknown key far from any": (
        "evaluation: {zebra: 1}",
        "FILE:1: evaluation.zebra: unknown key; known here: every, batch_size",
    ),
    "required": ("name: x", "FILE: data: this key is required"),
    "duplicate key": ("seed: 1\nseed: 2", "FILE:2: seed: given twice, first on line 1"),
    "whole number": ("seed: 1.5", "FILE:1: seed: expected a whole number, got 1.5"),
    "text for a number": (
        "federation:\n  rounds: ten",
        "FILE:2: federation.rounds: expected a whole number, got 'ten'",
    ),
    "boolean for a number": ("federation: {rounds: true}", "federation.rounds: expected a whole number, got True"),
    "not a number": (
        "training: {optimizer: {name: sgd, lr: .nan}}",
        "FILE:1: training.optimizer.lr: expected a finite number, got nan",
    ),
    "negative": ("training: {optimizer: {name: sgd, lr: -1}}", "expected a number greater than 0, got -1"),
    "a name nearly right": ("federation: {strategy: fedavgg}", "got 'fedavgg'; did you mean fedavg?"),
    "a kind nearly right": (
        "data: {source: {kind: sklern}}",
        "FILE:1: data.source: expected one of csv, hub, idx, images, npz, sequence, sklearn, synthetic, teacher, text, "
        "got 'sklern'; did you mean sklearn?",
    ),
    "no kind": (
        "data: {source: {path: x}}",
        "data.source: expected the key kind, one of csv, hub, idx, images, npz, sequence, sklearn, synthetic, teacher, "
        "text",
    ),
    "alternatives": (
        "training: {batch_size: all}",
        "training.batch_size: expected a whole number of examples, at least 1, or full, got 'all'",
    ),
    "fraction above one": ("federation: {clients_per_round: 1.5}", "a decimal fraction above 0 up to 1.0, got 1.5"),
    "excluding keys": ("training:\n  epochs: 1\n  steps: 2", "FILE:3: training.steps: expected either epochs or steps"),
    "cohort too large": (
        "data: {source: {kind: sklearn}}\nfederation:\n  clients_per_round: 11",
        "FILE:3: federation.clients_per_round: expected at most the 10 clients of data.partition.clients",
    ),
    "item of a list": (
        "model:\n  layers:\n  - 8\n  - 0",
        "FILE:4: model.layers.1: expected a number of at least 1, got 0",
    ),
    "absurd size": ("model: {layers: [1000000000]}", "model.layers.0: expected a number of at most 65536"),
    "value for keys": ("data: 3", "FILE:1: data: expected keys and values, got 3"),
    "list at the top": ("- 1", "FILE: expected keys and values, such as `data:`"),
    "broken yaml": ("data: [1,", "FILE:1: not valid YAML:"),
    "python tag": ("name: !!python/object/apply:os.getcwd []", "FILE:1: the tag"),
    "own tag": ("name: !secret x", "FILE:1: the tag '!secret' is not allowed"),
    "name with a slash": ("name: a/b", "FILE:1: name: expected letters, digits, dot, dash and underscore only"),
    "alias bomb": (
        "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "\n".join(f"{b}: &{b} [{', '.join(['*' + a] * 10)}]" for a, b in zip("abcde", "bcdef", strict=True)),
        "FILE: more than 100000 values",
    ),
    "deep nesting": ("a: " + "[" * 5000, "FILE: not valid YAML: nested too deeply"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_message_with_its_place(tmp_path: Path, name: str) -> None:
    text, expected = MISTAKES[name]
    assert expected in complaint(written(tmp_path, text))


def test_all_mistakes_are_told_at_once_in_the_files_order(tmp_path: Path) -> None:
    path = written(tmp_path, "seed: x\ndata: {source: {kind: npz}}\nmodel: {activation: rellu}\nevaluation: {evry: 1}")
    told = complaint(path).splitlines()
    assert [line.split(": ")[0] for line in told] == ["FILE:1", "FILE:2", "FILE:3", "FILE:4"]


def test_a_mistake_in_an_override_names_the_option(quickstart: Path) -> None:
    assert complaint(quickstart, "federation.round=3").startswith("--set federation.round=3: federation.round: unknown")
    assert "expected KEY=VALUE" in complaint(quickstart, "federation.rounds")
    assert "holds a value, not further keys" in complaint(quickstart, "seed.x.y=3")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00a", b"name: \xe9"])
def test_text_that_is_not_utf8_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_bytes(content)
    assert "expected UTF-8 text" in complaint(path)


def test_a_missing_file_names_its_nearest_neighbour(tmp_path: Path) -> None:
    written(tmp_path, "")
    assert "no such file; did you mean scenario.yaml?" in complaint(tmp_path / "scenaro.yaml")
    assert "found a folder" in complaint(tmp_path)


@pytest.mark.parametrize("part", EVERY_PART, ids=lambda part: part.__name__)
def test_every_key_is_described_and_every_number_has_a_unit(part: type[BaseModel]) -> None:
    assert part.__doc__
    for name, field in part.model_fields.items():
        assert field.description, f"{part.__name__}.{name} has no description"
        if {int, float} & set(get_args(field.annotation) or [field.annotation]):
            assert "unit" in (field.json_schema_extra or {}), f"{part.__name__}.{name} has no unit"


def test_the_schema_accepts_what_the_loader_accepts(quickstart: Path) -> None:
    import jsonschema
    import yaml

    schema = Scenario.model_json_schema()
    jsonschema.validate(yaml.safe_load(quickstart.read_text()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**SMALLEST, "sed": 1}, schema)


def test_an_override_reaches_into_a_list_and_spells_out_a_bare_name() -> None:
    text = {"data": {"source": {"kind": "sklearn"}}, "training": {"augmentation": ["rotation", {"kind": "noise"}]}}
    chosen = load_scenario(text, ["training.augmentation.0.degrees=30.0", "training.augmentation.1.sigma=0.5"])
    assert [one.model_dump(exclude={"probability"}) for one in chosen.training.augmentation] == [
        {"kind": "rotation", "degrees": 30.0},
        {"kind": "noise", "sigma": 0.5},
    ]
