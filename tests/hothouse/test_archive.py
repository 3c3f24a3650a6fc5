"""Archives: a run in one file and back; whatever is not exactly that is refused and leaves nothing."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import hothouse
from common.archives import digest
from hothouse.results.archive import export_run, import_run
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
        "fedavg out of 20 clients in\n3 rounds",
        "| test_accuracy |",
        "rows of 64 raw",
    ):
        assert words in card
    assert environment["packages"]["torch"].startswith("2.")


def test_onnx_computes_the_same(run: hothouse.Run, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    with zipfile.ZipFile(export_run(run.folder, tmp_path / "a", onnx=True)) as archive:
        session = onnxruntime.InferenceSession(archive.read("model.onnx"))
    x = torch.rand(5, 64) * 16
    (outputs,) = session.run(None, {"rows": x.numpy()})
    assert np.allclose(outputs, run.model(x).detach().numpy(), atol=1e-4)


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


CONTENTS = [
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


@pytest.mark.parametrize(("name", "content"), CONTENTS, ids=range(len(CONTENTS)))
def test_content_that_is_no_run(run: hothouse.Run, tmp_path: Path, name: str, content: bytes) -> None:
    good = export_run(run.folder, tmp_path / "good")
    bad = rewritten(good, tmp_path / "bad", lambda files: files.update({name: content}))
    assert refused(bad, tmp_path / "out").startswith(f"{tmp_path}/bad: what is in it is no run of Hothouse's")


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
        assert "damaged, or no archive" in refused(tmp_path / "bad", tmp_path / "out")
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
    with pytest.raises(hothouse.InputError, match="is not an empty folder"):
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
        with pytest.raises(hothouse.InputError, match=r"model\.from: .* layers\.0\.weight of shape \(64, 64\)"):
            hothouse.run({"data": wine, "model": {"from": str(run.folder)}}, engine="local", out=tmp_path / "run")

    def test_what_is_no_model_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "x.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
        for path, message in ((tmp_path / "x.safetensors", "holds no model"), (tmp_path / "nowhere", "expected a run")):
            with pytest.raises(hothouse.InputError, match=message):
                hothouse.run({"data": {"source": {"kind": "sklearn"}}, "model": {"from": str(path)}}, engine="local")
