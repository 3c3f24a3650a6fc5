"""Parts of a user's own have what built-in parts have, travel with the run, and are loaded for it alone."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import hothouse
from common.archives import MANIFEST, digest
from common.data import prepare
from common.errors import InputError
from common.scenario import Scenario, load_scenario
from common.scenario import uses as uses_module
from common.scenario.registry import FAMILIES
from common.settings import ClientSettings
from hothouse.archives.archive import export_run, import_run
from hothouse.inspect.reference import reference_text, schema_text
from hothouse.sweeps.goal import goal_of
from tests.command import command
from tests.common.test_sequences import PLAY
from tests.conftest import REPOSITORY
from tests.resuming import assert_resumes, assert_same
from tests.strategies import sampled

DIGITS: dict[str, Any] = {
    "data": {
        "source": {"kind": "sklearn", "name": "digits"},
        "partition": {"scheme": "iid", "clients": 8},
        "test_fraction": 0.2,
    },
    "federation": {"rounds": 3, "clients_per_round": 4},
}
EXAMPLES = dict(
    re.findall(r"```python\n# (\w+\.py)\n(.*?)```", (REPOSITORY / "docs/extending.md").read_text(), re.DOTALL)
)
"""The files of docs/extending.md."""
CHOSEN = {
    "drag.py": ["federation.strategy={name: drag, mu: 0.3}"],
    "plain_loop.py": ["federation.strategy=plain_loop"],
    "lion.py": ["training.optimizer={name: lion, lr: 0.003}", "training.optimizer_state=client"],
    "focal.py": ["training.loss={name: focal, gamma: 1.0}"],
    "calibration_error.py": ["evaluation.metrics=[{name: calibration_error, bins: 10}]", "data.client_holdout=0.2"],
    "small_cnn.py": ["model={name: small_cnn, channels: 2}"],
    "recurrent.py": [
        "model={name: recurrent, context: 4, units: 5}",
        "data={source: {kind: sequence, path: play.txt, clients: '([A-Z]{2,}):\\n'}, partition: natural}",
        "federation.clients_per_round=2",
    ],
    "softsign.py": ["model={layers: [12], activation: softsign}"],
    "rings.py": ["data={source: {kind: rings, noise: 0.2}, partition: natural, test_fraction: 0.2}"],
    "every_nth.py": ["data.partition={scheme: every_nth, clients: 6}"],
    "stragglers.py": ["federation.selection={name: without_smallest, left_out: 0.3}"],
    "invert.py": ["training.augmentation=[{kind: invert, probability: 0.2}]"],
    "few_bytes.py": ["callbacks=[{name: few_bytes, megabytes: 0.1}]"],
    "log_lines.py": ["tracking=[{kind: log_lines, path: rounds.txt}]"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the files of the documentation."""
    for name, text in EXAMPLES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "play.txt").write_text(PLAY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def using(*files: str, **parts: Any) -> dict[str, Any]:
    return {**DIGITS, "uses": list(files), **parts}


def refusal(*files: str, overrides: list[str] | None = None) -> str:
    with pytest.raises(InputError) as caught:
        load_scenario(using(*files), overrides or [])
    return str(caught.value)


@pytest.mark.parametrize("name", sampled(EXAMPLES, "drag.py"))
def test_every_file_of_the_documentation_is_a_part_like_any_other(name: str, folder: Path) -> None:
    assert_resumes(using(name), folder, CHOSEN[name], killed_after=[1])


def test_a_clients_own_loop_is_fedavg_with_the_same_steps(folder: Path) -> None:
    wide = {"model": {"dtype": "float64"}, "training": {"epochs": 2}}
    runs = [
        hothouse.run(using(*files, **wide), overrides=overrides, engine="local", out=f"run-{len(files)}")
        for files, overrides in (
            (("plain_loop.py",), ["federation.strategy={name: plain_loop, lr: 0.05}"]),
            ((), ["training.optimizer={name: sgd, lr: 0.05}", "training.trainer=torch"]),
        )
    ]
    one, other = (run.stored_model.network.state_dict() for run in runs)
    for name, tensor in one.items():
        assert torch.allclose(tensor, other[name], rtol=0, atol=1e-10), name
    with pytest.raises(InputError, match=r"training\.clip_norm: expected it left out with plain_loop"):
        load_scenario(using("plain_loop.py", training={"clip_norm": 1.0}), CHOSEN["plain_loop.py"])


@pytest.mark.ray
@pytest.mark.slow
def test_all_of_them_at_once_have_the_same_bits_on_ray(folder: Path) -> None:
    # Two strategies, or two sources, cannot be chosen at once.
    chosen = [
        one for name, overrides in CHOSEN.items() if name not in ("plain_loop.py", "rings.py") for one in overrides
    ]
    runs = [
        hothouse.run(using(*EXAMPLES), overrides=chosen, out=folder / engine, engine=engine, workers=2)  # type: ignore[arg-type]
        for engine in ("local", "ray")
    ]
    assert_same(*runs)


def outside_copy(method: str, halves: dict[str, str]) -> str:
    """A built-in method's package as one file, under the name `my_METHOD`; its halves get names of their own."""
    bases = {"server": "Strategy", "client": "ClientAlgorithm"}
    text = "from __future__ import annotations\n"
    text += "".join(
        f"from common.extend.{at} import {base} as Base{base}\n"
        for at, base in (("strategy", "Strategy"), ("client", "ClientAlgorithm"))
    )
    for half, name in halves.items():
        source = (REPOSITORY / "common" / "methods" / method / f"{half}.py").read_text()
        source = source.replace("from __future__ import annotations\n", "")
        if half in bases:
            source = source.replace(f"class {name}({bases[half]})", f"class {name}{bases[half]}(Base{bases[half]})")
            text = text.replace(f'"common.methods.{method}.{half}:{name}"', f'":{name}{bases[half]}"')
        text += source
    return text.replace(f'name="{method}"', f'name="my_{method}"')


@pytest.mark.parametrize(
    ("method", "halves"),
    [
        ("fedprox", {"options": "FedProx", "client": "FedProx"}),
        ("scaffold", {"options": "Scaffold", "server": "Scaffold", "client": "Scaffold"}),
    ],
)
def test_an_outside_copy_of_a_built_in_method_has_its_bits(method: str, halves: dict[str, str], folder: Path) -> None:
    (folder / "mine.py").write_text(outside_copy(method, halves))
    trained = ["training.trainer=torch", "federation.rounds=4"]
    own = hothouse.run(
        using("mine.py"), overrides=[f"federation.strategy=my_{method}", *trained], engine="local", out="own"
    )
    built_in = hothouse.run(DIGITS, overrides=[f"federation.strategy={method}", *trained], engine="local", out="theirs")
    assert_same(own, built_in)


class TestOptions:
    def test_a_mistake_names_the_line_and_the_nearest_choice(self, folder: Path) -> None:
        path = folder / "s.yaml"
        path.write_text(
            "uses: [drag.py]\ndata: {source: {kind: sklearn}}\nfederation:\n  strategy:\n    name: drag\n    muu: 0.3\n"
        )
        with pytest.raises(InputError, match=r"s\.yaml:6: federation\.strategy\.muu: unknown key; did you mean mu\?"):
            load_scenario(path)
        assert "expected a number of at least 0, got -1" in refusal(
            "drag.py", overrides=["federation.strategy={name: drag, mu: -1}"]
        )
        assert "got 'dragg'; did you mean drag?" in refusal("drag.py", overrides=["federation.strategy=dragg"])
        assert "expected one of" in refusal(overrides=["federation.strategy=drag"]), "it is not used here"

    def test_they_are_in_the_schema_and_the_reference_and_the_list_of_who_asks(self, folder: Path) -> None:
        with uses_module.read_uses(["drag.py"], folder).active():
            assert "Share of the running mean that is kept." in schema_text()
            assert "`federation.strategy: {name: drag}`" in reference_text()
        assert "drag" not in schema_text()
        assert "drag" not in FAMILIES["strategies"].parts
        listed = command("list", "strategies", "--use", "drag.py")
        assert "Clients are pulled towards a running mean" in listed.stdout
        checked = command("validate", "quickstart", "--use", "drag.py", "--set", "federation.strategy.name=drag")
        assert ", drag; a classification" in checked.stdout

    def test_a_sweep_over_them_keeps_the_file_and_refuses_another(self, folder: Path) -> None:
        swept = {**using("drag.py"), "matrix": {"federation.strategy.mu": [0.1, 1.0]}}
        swept["federation"] = {**DIGITS["federation"], "strategy": "drag"}
        done = hothouse.sweep(swept, engine="local", out="swept")
        assert len(done.runs) == 2
        assert (folder / "swept" / "uses" / "drag.py").read_text() == EXAMPLES["drag.py"]
        models = {run.folder.joinpath("model.safetensors").read_bytes() for run in done.runs.values()}
        assert len(models) == 2
        with (folder / "drag.py").open("a") as file:
            file.write("# another\n")
        with pytest.raises(InputError, match=r"holds another sweep; .*\n  uses\.drag\.py: was"):
            hothouse.sweep(swept, engine="local", out="swept")
        again = hothouse.sweep("swept", engine="local")
        assert len(again.runs) == 2, "it goes by its own copy"


class TestFiles:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("x = (\n", r"own.py:1: '\(' was never closed"),
            ("x = 1\nx.y = 2\n", "own.py:2: AttributeError: 'int' object has no attribute 'y'"),
            ("import drag\n", "own.py:1: imports drag, a file beside it; name that in uses too, before this one"),
            ("from . import drag\n", "own.py:1: relative imports have no package here; name the file in uses"),
            (
                "from hothouse.extend import StrategyPart\n\n\nclass F(StrategyPart, name='fedavg'):\n    pass\n",
                "own.py:4: ValueError: fedavg is one of the strategies already; choose another name",
            ),
        ],
    )
    def test_one_that_cannot_be_loaded_is_refused_with_its_line(self, text: str, expected: str, folder: Path) -> None:
        (folder / "own.py").write_text(text)
        assert re.search(expected, refusal("own.py"))

    def test_one_that_is_missing_is_named_with_the_scenarios_line(self, folder: Path) -> None:
        (folder / "s.yaml").write_text("data: {source: {kind: sklearn}}\nuses:\n- lion.py\n- gone.py\n")
        with pytest.raises(InputError, match=r"s\.yaml:4: .*gone\.py: cannot be read \(No such file or directory\)"):
            load_scenario(folder / "s.yaml")
        with pytest.raises(InputError, match=r"--use other\.py: .*other\.py: cannot be read"):
            hothouse.run("quickstart", use=["other.py"])
        assert "no module nowhere is installed" in refusal("nowhere")
        assert "--set uses=[a.py]: expected --use FILE" in refusal(overrides=["uses=[a.py]"])

    def test_one_that_another_names_is_what_it_imports(self, folder: Path) -> None:
        (folder / "helpers.py").write_text("STRENGTH = 0.25\n")
        (folder / "own.py").write_text(EXAMPLES["drag.py"].replace("0.1, ge=0", "__import__('helpers').STRENGTH, ge=0"))
        (folder / "own.py").write_text(
            "import helpers\n" + EXAMPLES["drag.py"].replace("0.1, ge=0", "helpers.STRENGTH, ge=0")
        )
        chosen = load_scenario(using("helpers.py", "own.py"), ["federation.strategy=drag"])
        assert chosen.federation.strategy.mu == 0.25  # type: ignore[attr-defined]
        assert "imports helpers" in refusal("own.py", "helpers.py")

    def test_two_with_a_part_of_one_name_are_refused(self, folder: Path) -> None:
        (folder / "again.py").write_text(EXAMPLES["drag.py"])
        assert "again and drag both have a part drag of the strategies" in refusal("drag.py", "again.py")

    def test_one_that_was_edited_is_another_and_the_old_one_stays_what_it_was(self, folder: Path) -> None:
        chosen = [using("drag.py"), ["federation.strategy=drag"]]
        old = load_scenario(*chosen)
        (folder / "drag.py").write_text(EXAMPLES["drag.py"].replace('pull.", 0.1', 'pull.", 0.7'))
        new = load_scenario(*chosen)
        assert [one.federation.strategy.mu for one in (old, new)] == [0.1, 0.7]  # type: ignore[attr-defined]
        assert type(old.federation.strategy) is not type(new.federation.strategy)

    def test_an_edited_partition_cuts_anew(self, folder: Path) -> None:
        text, chosen = EXAMPLES["every_nth.py"], CHOSEN["every_nth.py"]
        runs = []
        for place, cut in enumerate((text, text.replace("rows[client ::", "rows[::-1][client ::"))):
            (folder / "every_nth.py").write_text(cut)
            runs.append(hothouse.run(using("every_nth.py"), overrides=chosen, engine="local", out=f"run-{place}"))
        one, other = (run.folder.joinpath("federation.json").read_bytes() for run in runs)
        assert one != other

    def test_an_installed_module_is_used_by_its_name(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        package = folder / "site" / "pullers"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "parts.py").write_text(EXAMPLES["drag.py"])
        monkeypatch.syspath_prepend(folder / "site")
        chosen = load_scenario(using("pullers.parts"), ["federation.strategy=drag"])
        assert chosen.federation.strategy.part_name == "drag"
        (package / "parts.py").write_text(EXAMPLES["drag.py"] + "# newer\n")
        wanted = chosen.uses[0].model_dump()
        assert "pullers.parts: has changed" in refusal(wanted)


class TestTravelling:
    @pytest.fixture
    def run(self, folder: Path) -> hothouse.Run:
        return hothouse.run(using("drag.py"), overrides=CHOSEN["drag.py"], engine="local", out="run")

    def test_a_run_is_resumed_by_its_copy_which_must_not_have_changed(self, run: hothouse.Run, folder: Path) -> None:
        (folder / "drag.py").unlink()
        uses_module._TEXTS.clear()
        assert hothouse.resume(run, rounds=4, engine="local").summary["rounds"] == 4
        uses_module._TEXTS.clear()
        with (run.folder / "uses" / "drag.py").open("a") as file:
            file.write("# edited\n")
        with pytest.raises(InputError, match=r"uses/drag\.py: has changed: its SHA-256 is \w{12}…, expected \w{12}…"):
            hothouse.resume(run, rounds=5, engine="local")

    @pytest.mark.slow
    def test_a_pickled_scenario_brings_what_it_uses(self, folder: Path) -> None:
        chosen = load_scenario(using("drag.py"), CHOSEN["drag.py"])
        (folder / "scenario.pickle").write_bytes(pickle.dumps(chosen))
        (folder / "drag.py").unlink()
        code = "import pickle; s = pickle.load(open('scenario.pickle', 'rb')); print(s.federation.strategy.mu)"
        there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert there.stdout == "0.3\n"

    def test_messages_bring_a_name_and_a_sum_and_no_code(self, folder: Path) -> None:
        chosen = load_scenario(using("drag.py"), CHOSEN["drag.py"])
        text = ClientSettings.of(chosen).model_dump_json()
        assert json.loads(text)["uses"] == [{"source": "drag.py", "sha256": chosen.uses[0].sha256, "version": None}]
        assert str(folder) not in text
        assert "proximal" not in text

    def test_a_node_takes_what_it_has_itself(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (wanted,) = uses_module.named_only(load_scenario(using("drag.py"), CHOSEN["drag.py"]).uses)
        uses_module._TEXTS.clear()
        app = folder / "app"
        (app / "uses").mkdir(parents=True)
        monkeypatch.setattr(uses_module, "_APP", app)
        assert uses_module.sha256_here(wanted) == ""
        (app / "uses" / "drag.py").write_text(EXAMPLES["drag.py"])
        assert uses_module.sha256_here(wanted) == wanted.sha256
        assert [use.sha256 for use in uses_module.find_uses([wanted]).uses] == [wanted.sha256]
        uses_module._TEXTS.clear()
        (app / "uses" / "drag.py").write_text("raise SystemExit")
        assert uses_module.sha256_here(wanted) not in ("", wanted.sha256)
        with pytest.raises(InputError, match="has changed"):
            uses_module.find_uses([wanted])
        (folder / "outside.py").write_text("")
        for name in ("../../outside.py", str(folder / "outside.py")):
            assert uses_module.sha256_here(wanted.model_copy(update={"source": name, "sha256": "0" * 64})) == ""

    def test_an_archive_holds_the_files_and_only_trust_runs_them(self, folder: Path) -> None:
        """Files that leave a trace when they are run, one of them needed to build the network."""
        trace = "from pathlib import Path\nPath('touched').touch()\n"
        for name in ("drag.py", "softsign.py"):
            (folder / name).write_text(EXAMPLES[name] + trace)
        chosen = [*CHOSEN["drag.py"], *CHOSEN["softsign.py"]]
        made = hothouse.run(using("drag.py", "softsign.py"), overrides=chosen, engine="local", out="run")
        sums = [str(use.sha256) for use in made.scenario.uses]
        x = torch.rand(4, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        np.save("x.npy", x.numpy())
        export_run("run", "run.hothouse")
        (folder / "touched").unlink()
        imported = command("import", "run.hothouse", "--out", "back")
        assert (imported.returncode, imported.stdout) == (0, "back\n")
        assert all(text in imported.stderr for text in (*sums, "uses/drag.py", "--trust-code"))
        assert (folder / "back" / "uses" / "drag.py").read_text() == (folder / "drag.py").read_text()
        refused = command("predict", "back", "--data", "x.npy")
        assert (refused.returncode, all(text in refused.stderr for text in (*sums, "--trust-code"))) == (2, True)
        for attempt in (
            lambda: hothouse.load("back").model,
            lambda: hothouse.resume("back", rounds=4, engine="local"),
            lambda: hothouse.run("back/scenario.yaml", engine="local"),
            lambda: export_run("back", "again.hothouse", onnx=True),
        ):
            with pytest.raises(InputError, match=r"trust_code=True"):
                attempt()
        trusted = command("predict", "back", "--data", "x.npy", "--trust-code")
        assert all(text in trusted.stderr for text in (*sums, "uses/drag.py"))
        assert trusted.stdout.splitlines()[1:] == [
            f"{label},{score}" for label, score in zip(made.model.predict(x), _probabilities(made, x), strict=True)
        ]
        assert hothouse.load("back", trust_code=True).scenario.federation == made.scenario.federation
        # In a process of its own, which has loaded neither file.
        script = (
            "import hothouse; from pathlib import Path; from hothouse.archives.archive import import_run\n"
            "run = import_run('run.hothouse', 'other'); run.report()\n"
            "print(hothouse.compare(['other', 'run']).markdown())\n"
            "try:\n    run.model\nexcept hothouse.InputError:\n    print(Path('touched').exists())\n"
            "hothouse.load('other', trust_code=True).model; print(Path('touched').exists())\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-2:] == ["False", "True"]

    def test_a_file_changed_since_the_run_is_not_archived(self, run: hothouse.Run) -> None:
        (run.folder / "uses" / "drag.py").write_text("")
        with pytest.raises(InputError, match=r"run/uses/drag\.py: missing, or changed since the run: expected SHA-256"):
            export_run(run.folder)

    @pytest.mark.parametrize("place", ["scenario.yaml", "model.safetensors", "uses/evil.py"])
    def test_an_import_loads_nothing_that_an_archive_names(
        self, place: str, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An archive as somebody would make it by hand: whole, and with the name of a module that is installed."""
        hothouse.run(DIGITS, engine="local", out="plain")
        (folder / "evil.py").write_text("from pathlib import Path\nPath('touched').touch()\n")
        monkeypatch.syspath_prepend(folder)
        used = [{"source": "evil", "sha256": hashlib.sha256((folder / "evil.py").read_bytes()).hexdigest()}]
        export_run("plain", "plain.hothouse")
        with zipfile.ZipFile("plain.hothouse") as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        if place == "scenario.yaml":
            contents[place] = f"uses: {json.dumps(used)}\n".encode() + contents[place]
        elif place == "uses/evil.py":
            contents[place] = (folder / "evil.py").read_bytes()
        else:
            contents[place] = naming(contents[place], used)
        manifest = json.loads(contents[MANIFEST])
        manifest["files"][place] = {"bytes": len(contents[place]), "blake2b": digest(contents[place])}
        contents[MANIFEST] = json.dumps(manifest).encode()
        with zipfile.ZipFile("evil.hothouse", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
        if place == "scenario.yaml":
            imported = import_run("evil.hothouse", "imported")
            with pytest.raises(InputError, match=f"module evil  SHA-256 {used[0]['sha256']}"):
                _ = imported.model
        else:
            reason = "its model uses evil, its scenario does not"
            if place == "uses/evil.py":
                reason = r"uses/evil\.py is not among the files that its scenario uses"
            with pytest.raises(InputError, match=reason):
                import_run("evil.hothouse", "imported")
            assert not (folder / "imported").exists()
        assert not (folder / "touched").exists()

    def test_a_name_without_its_sum_is_not_loaded_for_others(self) -> None:
        with pytest.raises(InputError, match="json: expected its SHA-256 beside it"):
            uses_module.find_uses([uses_module.Use(source="json")])

    def test_reports_and_comparisons_run_no_code(self, run: hothouse.Run, folder: Path) -> None:
        (run.folder / "uses" / "drag.py").write_text("raise SystemExit(3)")
        assert command("report", "run").returncode == 0
        assert command("compare", "run").returncode == 0


class TestMetrics:
    OWN = "evaluation.metrics=[{name: calibration_error, bins: 5}]"

    def test_an_own_metric_is_pooled_from_clients_and_judges(self, folder: Path) -> None:
        """On held-out examples of many clients it is what a single computation on all of them gives."""
        overrides = [self.OWN, "data.client_holdout=0.25", "data.validation_fraction=0.1"]
        competition = "federation.strategy={name: competition, mode: best, judge: server, score: calibration_error}"
        done = hothouse.run(
            using("calibration_error.py"), overrides=[*overrides, competition], engine="local", out="run"
        )
        prepared, last = prepare(done.scenario), done.metrics.iloc[-1]
        for column, rows in (
            ("test", prepared.test),
            ("holdout", np.concatenate([prepared.holdout_examples(client) for client in range(8)])),
        ):
            with torch.inference_mode():
                scores = done.model(torch.from_numpy(np.array(prepared.x[rows], dtype=float))).softmax(dim=1).numpy()
            confidence, hits = scores.max(axis=1), scores.argmax(axis=1) == prepared.y[rows]
            bins = np.ceil(confidence * 5) - 1
            parts = [abs(hits[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean() for b in set(bins)]
            assert last[f"{column}_calibration_error"] == pytest.approx(sum(parts), abs=1e-6)
        assert done.summary["more_is_better"] == {"calibration_error": False}
        ladder = [json.loads(line) for line in (done.folder / "ladder.jsonl").read_text().splitlines()]
        assert (ladder[0]["metric"], ladder[0]["more_is_better"]) == ("validation_calibration_error", False)
        assert "Calibration error after each round" in (done.folder / "report.html").read_text()

    def test_a_comparison_knows_its_direction_without_its_code(self, folder: Path) -> None:
        text = EXAMPLES["calibration_error.py"].replace(
            'tasks=("classification",)', 'tasks=("classification",), more_is_better=True'
        )
        (folder / "mine.py").write_text(text)
        done = hothouse.run(using("mine.py"), overrides=[self.OWN], engine="local", out="run")
        (done.folder / "uses" / "mine.py").write_text("raise SystemExit(3)")
        assert "≥" in hothouse.compare("run", metric="calibration_error", target="calibration_error=0.5").target.text()

    def test_a_search_minimizes_it(self, folder: Path) -> None:
        chosen = load_scenario(
            using("calibration_error.py"),
            [
                self.OWN,
                "data.validation_fraction=0.1",
                "search.metric=validation_calibration_error",
                "search.trials=2",
                "search.space={training.batch_size: {choices: [8, 16]}}",
            ],
        )
        goal = goal_of(chosen, "classification")
        assert goal is not None
        assert (goal.metric, goal.direction) == ("validation_calibration_error", "minimize")

    def test_what_it_cannot_measure_is_refused(self, folder: Path) -> None:
        twice = "evaluation.metrics=[calibration_error, calibration_error]"
        assert "evaluation.metrics.1: expected each metric once" in refusal("calibration_error.py", overrides=[twice])
        near = refusal("calibration_error.py", overrides=["evaluation.metrics=[calibration]"])
        assert "did you mean calibration_error?" in near
        regression = ["data.source.name=diabetes", self.OWN]
        with pytest.raises(InputError, match="calibration_error measures a classification, this is a regression"):
            hothouse.run(using("calibration_error.py"), overrides=regression, engine="local", out="run")


class TestNotebooks:
    """Cells in a real IPython, with what is printed in the end."""

    @staticmethod
    def cells(*texts: str) -> str:
        script = (
            "import json, sys\nfrom IPython.core.interactiveshell import InteractiveShell\n"
            "shell = InteractiveShell.instance()\n"
            "for text in json.loads(sys.argv[1]):\n    shell.run_cell(text, store_history=True).raise_error()\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, json.dumps(texts)], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()[-1]

    @pytest.mark.slow
    def test_a_class_of_a_cell_is_used_as_it_stands_in_the_newest(self, folder: Path) -> None:
        """Twice with the same bits as by a file; then edited, with another limit."""
        arguments = f"{using()!r}, use=[Drag], overrides={CHOSEN['drag.py']!r}, engine='local'"
        run = f"for name in ('one', 'two'):\n    hothouse.run({arguments}, out=name)"
        edited = EXAMPLES["drag.py"].replace("0.1, ge=0", "0.1, ge=5")
        attempt = f"try:\n    hothouse.run({arguments})\nexcept hothouse.InputError as error:\n    print(error)"
        told = self.cells("import hothouse", EXAMPLES["drag.py"], run, edited, attempt)
        assert "greater than or equal to 5" in told or "at least 5" in told, told
        assert (folder / "one" / "uses" / "drag.py").read_text() == EXAMPLES["drag.py"]
        by_file = hothouse.run(using("drag.py"), overrides=CHOSEN["drag.py"], engine="local", out="by_file")
        assert_same(hothouse.load("two"), by_file)

    @pytest.mark.parametrize(
        ("cell", "reason"),
        [
            ("print('hello')\n", "Own: its cell or script also runs `print('hello')` (line 1)"),
            ("x = open('x')\n", "Own: its cell or script also runs `x = open('x')` (line 1)"),
            ("def f():\n    return helper()\n", "Own: needs helper, which its cell does not define"),
        ],
    )
    def test_a_cell_that_does_more_is_refused(
        self, cell: str, reason: str, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What IPython knows of its cells is given here, so that no kernel has to start."""
        own = "from hothouse.extend import LossPart\nclass Own(LossPart, name='own'):\n    'A loss.'\n"
        shell = SimpleNamespace(user_ns={"In": ["", cell + own]})
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
        with pytest.raises(InputError) as caught:
            hothouse.run({}, use=[type("Own", (), {"__module__": "__main__"})])
        assert reason in str(caught.value)


class TestDatasets:
    """Rings of docs/extending.md once more, as datasets of each client's own."""

    TEXT = """
import torch
from torch.utils.data import Subset, TensorDataset
from hothouse.extend import DatasetSource, SourcePart
import rings

class Sets(SourcePart, name="sets", runs=":SetsSource"):
    '''As datasets.'''

class SetsSource(DatasetSource):
    seeded = True

    @staticmethod
    def datasets(spec, seed):
        found = rings.RingsSource.arrays(rings.Rings(noise=0.2), seed)
        whole = TensorDataset(torch.from_numpy(found["x_train"]), torch.from_numpy(found["y_train"]))
        mine = [(found["client"] == client).nonzero()[0].tolist() for client in range(8)]
        return {"train": {client: Subset(whole, mine[client]) for client in range(8)}}
"""

    def test_they_give_what_arrays_give(self, folder: Path) -> None:
        (folder / "sets.py").write_text(self.TEXT)
        natural = {"federation": {"rounds": 2, "clients_per_round": 4}}
        one = hothouse.run(using("rings.py", **natural), overrides=CHOSEN["rings.py"], engine="local", out="one")
        data = ["data={source: sets, partition: natural, test_fraction: 0.2}"]
        other = hothouse.run(using("rings.py", "sets.py", **natural), overrides=data, engine="local", out="other")
        assert_same(one, other)

    @pytest.mark.parametrize(
        ("train", "reason"),
        [
            ("[1, 2]", "sets: train: expected a map-style dataset of (x, y) pairs"),
            ("[([1.0], 0), ([1.0, 2.0], 1)]", "sets: train: item 1 has x of shape (2,), the first (1,)"),
        ],
    )
    def test_what_is_none_is_refused(self, train: str, reason: str, folder: Path) -> None:
        text = self.TEXT.partition("        found =")[0] + f'        return {{"train": {train}}}\n'
        (folder / "sets.py").write_text(text)
        with pytest.raises(InputError) as caught:
            hothouse.run(using("rings.py", "sets.py"), overrides=["data={source: sets}"], engine="local", out="run")
        assert reason in str(caught.value)


class TestFaults:
    def test_what_a_strategy_keeps_elsewhere_ends_the_run_with_its_line(self, folder: Path) -> None:
        text = EXAMPLES["drag.py"].replace(
            "        return RoundOutcome(", "        self.rounds = start.number\n        return RoundOutcome("
        )
        (folder / "drag.py").write_text(text)
        done = command(
            "run", "quickstart", "--use", "drag.py", "--engine", "local", "--out", "run", "--set", CHOSEN["drag.py"][0]
        )
        assert done.returncode == 1
        assert re.search(
            r"drag\.py:\d+: AttributeError: DragServer\.rounds is set after the strategy was made", done.stderr
        )
        assert "Traceback" not in done.stderr

    def test_a_clients_half_that_raises_is_told_with_its_line(self, folder: Path) -> None:
        (folder / "drag.py").write_text(EXAMPLES["drag.py"].replace('record("anchor")', 'record("anchors")'))
        with pytest.raises(hothouse.RunError, match=r"its training raised KeyError: .* \(drag\.py:\d+\)"):
            hothouse.run(using("drag.py"), overrides=CHOSEN["drag.py"], engine="local", out="run")


AGGREGATED = "return RoundOutcome(mean(results))"
PLANTED = {
    "hidden state": (AGGREGATED, f"self.n = start.number; {AGGREGATED}", "is set after the strategy was made"),
    "global draw": (
        "        anchor =",
        "        torch.randn(1); anchor =",
        "drag.py draws from the global generator of PyTorch",
    ),
    "stack order": (
        "Proximal(anchor,",
        "Proximal({n: anchor[n] * torch.arange(len(w)).view(-1, *[1] * (w.dim() - 1)) "
        "for n, w in stack.parameters.items()},",
        "from training each client alone",
    ),
    "state that is not saved": (
        AGGREGATED,
        "SEEN.append(0.1); return RoundOutcome({n: a * a.dtype.type(1 + sum(SEEN)) for n, a in mean(results).items()})",
        "something is carried that the state does not have",
    ),
    "wrong shape": (
        AGGREGATED,
        "return RoundOutcome({n: a[:1] for n, a in mean(results).items()})",
        "expected float64 of shape",
    ),
}
"""What is wrong with a part, as a replacement in drag.py, and what is said of it."""


class TestTestPart:
    def test_a_part_that_keeps_every_promise_passes(self, folder: Path) -> None:
        done = command("test-part", "drag.py")
        assert done.returncode == 0, done.stdout
        assert "no:" not in done.stdout
        assert done.stdout.count("yes") >= 8

    @pytest.mark.parametrize("fault", sampled(PLANTED, "stack order"))
    def test_a_planted_fault_fails_with_its_reason(self, fault: str, folder: Path) -> None:
        (old, new, promise), text = PLANTED[fault], EXAMPLES["drag.py"]
        assert old in text
        (folder / "drag.py").write_text("import torch\n\nSEEN = []\n" + text.replace(old, new))
        done = command("test-part", "drag.py")
        assert done.returncode == 1
        assert promise in " ".join(done.stdout.split()), done.stdout
        assert re.search(r"drag\.py: \d+ of \d+ checks failed", done.stderr)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", EXAMPLES)
    def test_every_file_of_the_documentation_passes(self, name: str, folder: Path) -> None:
        done = command("test-part", name)
        assert done.returncode == 0, done.stdout

    @pytest.mark.slow
    @pytest.mark.ray
    def test_it_passes_on_ray_too(self, folder: Path) -> None:
        done = command("test-part", "drag.py", "--full")
        assert done.returncode == 0, done.stdout
        assert "on Ray with two workers" in " ".join(done.stdout.split())

    def test_a_file_without_parts_is_refused(self, folder: Path) -> None:
        (folder / "empty.py").write_text("x = 1\n")
        done = command("test-part", "empty.py")
        assert (done.returncode, "declares no part" in done.stderr) == (2, True)


def _probabilities(run: hothouse.Run, x: torch.Tensor) -> list[str]:
    """As `predict` writes them."""
    scores = run.model.network.output.scores(run.model(x))
    return [str(line.max()) for line in scores.detach().numpy()]


def naming(model: bytes, used: list[dict[str, str]]) -> bytes:
    """A model's file with what it uses in its header."""
    length = int.from_bytes(model[:8], "little")
    header = json.loads(model[8 : 8 + length])
    about = json.loads(header["__metadata__"]["hothouse"]) | {"uses": used}
    header["__metadata__"]["hothouse"] = json.dumps(about)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + model[8 + length :]


STARTERS = {path.stem: path.read_text() for path in (REPOSITORY / "hothouse" / "starters").glob("*.txt")}


class TestNew:
    def test_the_documentation_shows_what_it_writes(self) -> None:
        assert sorted(STARTERS.values()) == sorted(EXAMPLES.values())

    @pytest.mark.parametrize("kind", sampled(STARTERS, "strategy"))
    def test_a_part_to_start_from_passes_its_test(self, kind: str, folder: Path) -> None:
        made = command("new", "my_own", "--part", kind)
        assert made.returncode == 0, made.stderr
        assert 'name="my_own"' in (folder / "my_own.py").read_text()
        tried = command("test-part", "my_own.py")
        assert tried.returncode == 0, tried.stdout
        assert "my_own" in tried.stdout

    def test_what_it_cannot_write_is_refused(self, folder: Path) -> None:
        assert "got 'stratgy'; did you mean strategy?" in command("new", "own", "--part", "stratgy").stderr
        assert "expected lower-case letters" in command("new", "My-Own", "--part", "loss").stderr
        assert "drag.py: exists already" in command("new", "drag", "--part", "loss").stderr


def test_a_scenario_without_uses_says_nothing_of_them(tmp_path: Path) -> None:
    assert isinstance(load_scenario(DIGITS), Scenario)
    run = hothouse.run(DIGITS, engine="local", out=tmp_path / "run")
    assert "uses" not in (run.folder / "scenario.yaml").read_text()
    assert not (run.folder / "uses").exists()


SOURCE = '''
import numpy as np
from pathlib import Path
from hothouse.extend import ArraySource, FilePath, SourcePart, key


class Counted(SourcePart, name="counted", runs=":CountedSource"):
    """Counts its calls."""

    path: FilePath = key("What decides.")


class CountedSource(ArraySource):
    @staticmethod
    def arrays(spec, seed):
        with open("calls", "a") as file:
            file.write("x")
        shift = float(Path(spec.path).read_text())
        x = np.random.default_rng(0).normal(size=(60, 3)) + shift
        return {"x_train": x, "y_train": (x[:, 0] > shift).astype(int), "client": np.repeat(["b", "a", "c"], 20)}
'''


@pytest.mark.parametrize("declared", [True, False], ids=["a file it declares", "nothing that it declares"])
def test_a_source_is_read_again_when_what_decides_has_changed(declared: bool, folder: Path) -> None:
    files = "\n    @staticmethod\n    def files(spec):\n        return [spec.path]\n" if declared else ""
    (folder / "counted.py").write_text(SOURCE + files)
    chosen = using("counted.py", data={"source": {"kind": "counted", "path": "shift.txt"}, "partition": "natural"})
    chosen["federation"] = {"rounds": 1}
    models, calls = [], []
    for place, shift in enumerate(("0.0", "0.0", "5.0")):
        (folder / "shift.txt").write_text(shift)
        run = hothouse.run(chosen, engine="local", out=f"run-{place}")
        models.append((run.folder / "model.safetensors").read_bytes())
        calls.append(len((folder / "calls").read_text()))
    assert models[0] == models[1] != models[2]
    assert calls == ([1, 1, 2] if declared else [2, 3, 5]), "without a declared file it is called to be hashed"
    assert json.loads((folder / "run-0" / "federation.json").read_text())["names"] == ["a", "b", "c"]


def test_a_source_of_other_arrays_is_refused(folder: Path) -> None:
    (folder / "rings.py").write_text(EXAMPLES["rings.py"].replace('"client": client', '"owner": client'))
    with pytest.raises(InputError, match="rings: owner: expected one of x_train, y_train, x_test, y_test, client"):
        hothouse.run(using("rings.py"), overrides=CHOSEN["rings.py"], engine="local", out="run")
