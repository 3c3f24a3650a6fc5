"""Archives: a run in one file and back; whatever is not exactly that is refused and leaves nothing."""

from __future__ import annotations

import io
import json
import random
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

import hothouse
from common.archives import digest
from hothouse.archives.archive import export_run, import_run
from tests.mutations import mutated
from tests.resuming import measured

SHORT = ["federation.rounds=3"]


@pytest.fixture(scope="module")
def run(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> hothouse.Run:
    return hothouse.run(quickstart, overrides=SHORT, engine="local", out=tmp_path_factory.mktemp("runs") / "quick")


def test_a_run_comes_back_from_its_archive(run: hothouse.Run, tmp_path: Path) -> None:
    archive = export_run(run.folder, tmp_path / "quick.hothouse")
    back = import_run(archive, tmp_path / "back")
    assert back.summary == run.summary
    assert back.scenario == run.scenario
    assert measured(back).equals(measured(run))
    x = torch.randn(4, 64)
    assert torch.equal(back.model(x), run.model(x))
    assert {path.name for path in back.folder.iterdir()} >= {"README.md", "environment.json"}
    there, here = ((one.folder / "report.html").read_text() for one in (run, back))
    assert here == there.replace(str(run.folder), str(back.folder))


def test_the_same_run_gives_the_same_bytes(run: hothouse.Run, tmp_path: Path) -> None:
    one, two = export_run(run.folder, tmp_path / "1"), export_run(run.folder, tmp_path / "2")
    assert one.read_bytes() == two.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def test_the_card_says_what_the_model_is(run: hothouse.Run, tmp_path: Path) -> None:
    with zipfile.ZipFile(export_run(run.folder, tmp_path / "a")) as archive:
        card = archive.read("README.md").decode()
        environment = json.loads(archive.read("environment.json"))
    for words in (
        "6,570 parameters",
        "fedavg on 20 clients in\n3 rounds",
        "| test accuracy |",
        "examples of 64 raw",
    ):
        assert words in card
    assert environment["packages"]["torch"].startswith("2.")


def test_onnx_computes_the_same(run: hothouse.Run, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    with zipfile.ZipFile(export_run(run.folder, tmp_path / "a", onnx=True)) as archive:
        session = onnxruntime.InferenceSession(archive.read("model.onnx"))
    x = torch.rand(5, 64) * 16
    # Standardized columns are read in full precision, whatever their offset.
    (outputs,) = session.run(None, {"rows": x.double().numpy()})
    assert np.allclose(outputs, run.model(x).detach().numpy(), atol=1e-4)
    told = json.loads(session.get_modelmeta().custom_metadata_map["hothouse.agreement"])
    assert [column["name"] for column in told["columns"]] == [column.name for column in run.model.data_spec.columns]
    assert told["columns"][0]["missing"] == ["", "?", "NA", "NaN", "nan", "null"]
    assert told["labels"] == list(range(10))


def rewritten(good: Path, path: Path, change: Callable[[dict[str, bytes]], None], honest: bool = True) -> Path:
    """The archive with its files changed, the manifest made to fit if `honest`."""
    with zipfile.ZipFile(good) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    if honest:
        listed = {n: {"bytes": len(c), "blake2b": digest(c)} for n, c in files.items() if n != "manifest.json"}
        files["manifest.json"] = json.dumps({"format": 1, "files": listed}).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@contextmanager
def safe_open_bytes(content: bytes) -> Iterator[tuple[dict[str, np.ndarray], dict[str, str]]]:
    """The arrays of a safetensors file, which may be changed, and its metadata."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    yield {name: array.copy() for name, array in load(content).items()}, header["__metadata__"]


def refused(archive: Path, folder: Path) -> str:
    with pytest.raises(hothouse.InputError) as caught:
        import_run(archive, folder)
    assert not folder.exists()
    assert [entry.name for entry in folder.parent.iterdir() if entry.name.startswith(".")] == []
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../escape", "'../escape' does not belong"),
        ("/etc/passwd", "'/etc/passwd' does not belong"),
        ("checkpoints/../../x", "does not belong"),
        ("model.pkl", "'model.pkl' does not belong"),
    ],
)
def test_foreign_files_and_paths_that_lead_elsewhere(
    run: hothouse.Run, tmp_path: Path, name: str, message: str
) -> None:
    good = export_run(run.folder, tmp_path / "good")
    bad = rewritten(good, tmp_path / "bad", lambda files: files.update({name: b"x"}))
    assert message in refused(bad, tmp_path / "out")


def test_links(run: hothouse.Run, tmp_path: Path) -> None:
    good, bad = export_run(run.folder, tmp_path / "good"), tmp_path / "bad"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as archive:
        for entry in source.infolist():
            if entry.filename == "README.md":
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, source.read(entry.filename))
    assert "README.md is not a plain file" in refused(bad, tmp_path / "out")


def test_a_bomb(run: hothouse.Run, tmp_path: Path) -> None:
    good, bad = export_run(run.folder, tmp_path / "good"), tmp_path / "bad"
    rewritten(good, bad, lambda files: files.update({"README.md": b"x"}))
    content = bytearray(bad.read_bytes())
    # The directory claims a size that the data could never unpack to.
    place = content.rindex(b"README.md") - 46
    content[place + 24 : place + 28] = (3 << 30).to_bytes(4, "little")
    bad.write_bytes(content)
    assert "README.md claims to unpack to 3221225472 bytes" in refused(bad, tmp_path / "out")


def test_a_file_that_goes_on_beyond_its_promise(run: hothouse.Run, tmp_path: Path) -> None:
    good, bad = export_run(run.folder, tmp_path / "good"), tmp_path / "bad"
    rewritten(good, bad, lambda files: files.update({"README.md": files["README.md"] + b"more"}), honest=False)
    assert "README.md has" in refused(bad, tmp_path / "out")


def test_changed_content(run: hothouse.Run, tmp_path: Path) -> None:
    good = export_run(run.folder, tmp_path / "good")

    def tamper(files: dict[str, bytes]) -> None:
        files["summary.json"] = files["summary.json"].replace(b"complete", b"perfect!")

    assert "summary.json is damaged" in refused(rewritten(good, tmp_path / "bad", tamper, honest=False), tmp_path / "o")


def test_other_ways_to_compress_are_refused(run: hothouse.Run, tmp_path: Path) -> None:
    good, bad = export_run(run.folder, tmp_path / "good"), tmp_path / "bad"
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as archive:
            for entry in source.infolist():
                archive.writestr(entry.filename, source.read(entry.filename), method)
        content = bytearray(bad.read_bytes())
        content[60:70] = b"x" * 10
        bad.write_bytes(content)
        assert "is compressed in another way than Hothouse does" in refused(bad, tmp_path / "out")


@pytest.mark.parametrize("size", ["Infinity", "NaN", '"1"', "-1", "1e400", "null", "[]"])
def test_sizes_that_are_no_sizes(run: hothouse.Run, tmp_path: Path, size: str) -> None:
    good = export_run(run.folder, tmp_path / "good")

    def change(files: dict[str, bytes]) -> None:
        listed = json.loads(files["manifest.json"])
        listed["files"]["README.md"]["bytes"] = "SIZE"
        files["manifest.json"] = json.dumps(listed).replace('"SIZE"', size).encode()

    assert "README.md has" in refused(rewritten(good, tmp_path / "bad", change, honest=False), tmp_path / "out")


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_weights_that_are_no_numbers(run: hothouse.Run, tmp_path: Path, number: float) -> None:
    def change(files: dict[str, bytes]) -> None:
        with safe_open_bytes(files["model.safetensors"]) as (tensors, about):
            tensors["network.layers.0.weight"][3, 4] = number
            files["model.safetensors"] = save(tensors, about)

    bad = rewritten(export_run(run.folder, tmp_path / "good"), tmp_path / "bad", change)
    assert "layers.0.weight has numbers that are infinite or not a number" in refused(bad, tmp_path / "out")


def bomb(name: str, content: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.update({name: content})


def huge_network(files: dict[str, bytes]) -> None:
    """A model of a few kB that claims 400 million weights."""
    with safe_open_bytes(files["model.safetensors"]) as (tensors, about):
        told = json.loads(about["hothouse"])
        told["model"]["layers"] = [20000, 20000]
        files["model.safetensors"] = save(tensors, {"hothouse": json.dumps(told)})
    files["scenario.yaml"] = files["scenario.yaml"].replace(b"- 64\n  - 32", b"- 20000\n  - 20000")


BOMBS: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "scenario": (bomb("scenario.yaml", b"- 1\n" * 2_500_000), "scenario.yaml claims to unpack to 10000000 bytes"),
    "fewer items": (bomb("scenario.yaml", b"- 1\n" * 250_000), "more than 100000 values"),
    "events": (bomb("events.jsonl", b"{}\n" * 100_000_000), "events.jsonl claims to unpack to 300000000 bytes"),
    "fewer events": (bomb("events.jsonl", b"{}\n" * 1_000_000), "more than 400,000 lines"),
    "values": (bomb("final.json", b'{"a": [' + b"[]," * 5_000_000 + b"[]]}"), "more than 4,000,000 values"),
    "model": (bomb("model.safetensors", bytes(1 << 30)), "model.safetensors claims to unpack to 1073741824 bytes"),
    "shapes": (huge_network, "layers.0.bias is float32 of shape (64,); its settings make it float32 of shape (20000,)"),
    "layers": (
        bomb("scenario.yaml", b"data: {source: {kind: sklearn}}\nmodel: {layers: [" + b"1," * 90_000 + b"1]}\n"),
        "it does not contain a Hothouse run",
    ),
}

_IMPORT = """
import resource, sys
from common.errors import InputError
from hothouse.archives.archive import import_run

# Seconds of a processor, not of a clock: a signal ends a process that takes more.
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
try:
    import_run(sys.argv[1], sys.argv[2])
except InputError as error:
    print(error)
else:
    print("accepted")
# Not ru_maxrss, which a process inherits.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def imported_within_bounds(archive: Path, folder: Path) -> str:
    """What a process says that imports an archive within a minute of a processor and 1.5 GB of memory."""
    done = subprocess.run([sys.executable, "-c", _IMPORT, archive, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told, kilobytes = done.stdout.rstrip().rsplit("\n", 1)
    assert int(kilobytes) < 1.5e6, told
    return told


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_small_archive_exhausts_nothing(run: hothouse.Run, tmp_path: Path, name: str) -> None:
    change, message = BOMBS[name]
    bad = rewritten(export_run(run.folder, tmp_path / "good"), tmp_path / "bad", change)
    assert bad.stat().st_size < 3e6
    assert message in imported_within_bounds(bad, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_manifest_of_blanks_is_not_read(run: hothouse.Run, tmp_path: Path) -> None:
    bad = rewritten(
        export_run(run.folder, tmp_path / "good"),
        tmp_path / "bad",
        lambda files: files.update({"manifest.json": files["manifest.json"] + b" " * (1 << 30)}),
        honest=False,
    )
    told = imported_within_bounds(bad, tmp_path / "out")
    assert "manifest.json claims to unpack to 1073" in told


MOST = {
    "events": '{"round": 1, "event": "excluded", "clients": [1], "reason": "x"}',
    "metrics": '{"round": 1, "seconds": 1, "clients": 1, "test_accuracy": 0.5}',
    "clients": '{"round": 1, "clients": [1], "train_loss": [1], "holders": [1], "holdout": {"loss": [1]}}',
    "ladder": '{"round": 1, "clients": [1], "parents": [1], "scores": [1], "shares": [1], "metric": "loss"}',
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MOST)
def test_as_much_as_may_be_in_an_archive_is_read_within_bounds(run: hothouse.Run, tmp_path: Path, name: str) -> None:
    content = f"{MOST[name]}\n".encode() * 390_000
    big = rewritten(export_run(run.folder, tmp_path / "good"), tmp_path / "big", bomb(f"{name}.jsonl", content))
    imported_within_bounds(big, tmp_path / "out")


@pytest.mark.slow
def test_archives_changed_at_random_are_imported_or_refused(run: hothouse.Run, tmp_path: Path) -> None:
    good = export_run(run.folder, tmp_path / "good")
    with zipfile.ZipFile(good) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}
    rng, refusals = random.Random(27), 0
    for number in range(400):
        name = rng.choice(list(files))
        changed = mutated(rng, files[name])
        bad = rewritten(good, tmp_path / "bad", bomb(name, changed))
        if number % 4 == 0:
            bad.write_bytes(mutated(rng, good.read_bytes()))
        folder = tmp_path / f"out-{number}"
        try:
            import_run(bad, folder).report()
        except hothouse.InputError:
            refusals += 1
            assert not folder.exists()
        assert not list(tmp_path.glob(".*"))
    assert refusals > 200


CONTENTS = [
    ("summary.json", b'{"status": "\\ud800", "versions": {"hothouse": "1"}, "rounds": 3}'),
    ("events.jsonl", b'{"round": 1, "event": "\\uDC00"}\n'),
    ("metrics.jsonl", b'{"round": 1, "seconds": ' + b"9" * 5000 + b"}\n"),
    ("metrics.jsonl", b"[" * 100_000),
    ("summary.json", b"[]"),
    ("summary.json", b"{}"),
    ("metrics.jsonl", b""),
    ("metrics.jsonl", b"7\n"),
    ("metrics.jsonl", b'{"round": 1, "seconds": "long", "clients": null}\n'),
    ("events.jsonl", b'"event"\n'),
    ("scenario.yaml", b"- 1"),
    ("scenario.yaml", b"!!python/object/apply:os.system [exit]"),
    ("scenario.yaml", b"data: {source: {kind: sklearn}, colour: red}"),
    ("model.safetensors", b"\x80\x04cos\nsystem\n"),
    ("model.safetensors", b"\x08\0\0\0\0\0\0\0{}      "),
    ("federation.json", b'{"clients": [1], "shown": 3}'),
    ("clients.jsonl", b'{"round": 1}\n[]\n'),
    ("final.json", b'{"confusion": {"counts": "none"}}'),
]


@pytest.mark.parametrize(
    ("name", "content"),
    [pytest.param(*one, marks=[pytest.mark.slow] * (at % 3 > 0), id=str(at)) for at, one in enumerate(CONTENTS)],
)
def test_content_that_is_no_run(run: hothouse.Run, tmp_path: Path, name: str, content: bytes) -> None:
    good = export_run(run.folder, tmp_path / "good")
    bad = rewritten(good, tmp_path / "bad", lambda files: files.update({name: content}))
    told = refused(bad, tmp_path / "out")
    assert told.startswith(f"{tmp_path}/bad: it does not contain a Hothouse run")
    assert ".out" not in told, "nobody is told of a folder that is gone"


def test_a_page_that_came_along_is_not_taken(run: hothouse.Run, tmp_path: Path) -> None:
    good = export_run(run.folder, tmp_path / "good")
    bad = rewritten(good, tmp_path / "bad", lambda files: files.update({"report.html": b"<script>"}))
    assert "'report.html' does not belong" in refused(bad, tmp_path / "out")


def test_missing_files_and_other_formats(run: hothouse.Run, tmp_path: Path) -> None:
    good = export_run(run.folder, tmp_path / "good")
    bad = rewritten(good, tmp_path / "bad", lambda files: files.pop("model.safetensors") and None)
    assert "it has no model.safetensors" in refused(bad, tmp_path / "out")

    def newer(files: dict[str, bytes]) -> None:
        files["manifest.json"] = files["manifest.json"].replace(b'"format": 1', b'"format": 2')

    bad = rewritten(good, tmp_path / "bad", newer, honest=False)
    assert "format 2; this version of Hothouse reads format 1" in refused(bad, tmp_path / "out")


def test_what_is_no_archive(run: hothouse.Run, tmp_path: Path) -> None:
    good = export_run(run.folder, tmp_path / "good").read_bytes()
    for content in (b"", b"hello", good[: len(good) // 2], good[:-30]):
        (tmp_path / "bad").write_bytes(content)
        assert "damaged, or not a Hothouse archive" in refused(tmp_path / "bad", tmp_path / "out")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("manifest.json", "{")
    (tmp_path / "bad").write_bytes(buffer.getvalue())
    assert "it has no model.safetensors" in refused(tmp_path / "bad", tmp_path / "out")
    assert "no such file" in refused(tmp_path / "nowhere", tmp_path / "out")


def test_an_import_overwrites_nothing(run: hothouse.Run, tmp_path: Path) -> None:
    archive = export_run(run.folder, tmp_path / "good")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("precious")
    with pytest.raises(hothouse.InputError, match="is not empty"):
        import_run(archive, tmp_path / "out")


def test_a_run_without_a_model_cannot_be_exported(tmp_path: Path, run: hothouse.Run) -> None:
    (tmp_path / "summary.json").write_text('{"status": "incomplete"}')
    with pytest.raises(hothouse.InputError, match=r"there is no model\.safetensors"):
        export_run(tmp_path)


class TestStartingFromAnEarlierModel:
    @pytest.fixture(params=["folder", "archive", "file"])
    def earlier(self, request: pytest.FixtureRequest, run: hothouse.Run, tmp_path: Path) -> Path:
        if request.param == "archive":
            return export_run(run.folder, tmp_path / "earlier.hothouse")
        return run.folder / "model.safetensors" if request.param == "file" else run.folder

    def test_begins_where_that_ended(self, quickstart: Path, run: hothouse.Run, earlier: Path, tmp_path: Path) -> None:
        again = hothouse.run(
            quickstart, overrides=["federation.rounds=1", f"model.from={earlier}"], engine="local", out=tmp_path / "n"
        )
        assert again.metrics.test_loss[0] == run.metrics.test_loss.iloc[-1]
        assert again.metrics.test_loss[1] < run.metrics.test_loss.iloc[-1]

    def test_takes_its_shape(self, run: hothouse.Run, tmp_path: Path) -> None:
        scenario = {
            "data": {"source": {"kind": "sklearn", "name": "digits"}},
            "model": {"from": str(run.folder)},
            "federation": {"rounds": 1},
        }
        again = hothouse.run(scenario, engine="local", out=tmp_path / "run")
        assert again.scenario.model.layers == (64, 32)

    def test_another_shape_or_other_data_is_refused(self, run: hothouse.Run, tmp_path: Path) -> None:
        digits = {"source": {"kind": "sklearn", "name": "digits"}}
        with pytest.raises(hothouse.InputError, match=r"model\.layers: expected \[64, 32\], as the model to start"):
            hothouse.run({"data": digits, "model": {"from": str(run.folder), "layers": [64]}}, engine="local")
        wine = {"source": {"kind": "sklearn", "name": "wine"}}
        with pytest.raises(
            hothouse.InputError, match=r"model\.from: the model to start from was trained on other inputs"
        ):
            hothouse.run({"data": wine, "model": {"from": str(run.folder)}}, engine="local", out=tmp_path / "run")

    def test_what_is_no_model_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "x.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
        for path, message in (
            (tmp_path / "x.safetensors", "is not a Hothouse model"),
            (tmp_path / "nowhere", "expected a run"),
        ):
            with pytest.raises(hothouse.InputError, match=message):
                hothouse.run({"data": {"source": {"kind": "sklearn"}}, "model": {"from": str(path)}}, engine="local")
