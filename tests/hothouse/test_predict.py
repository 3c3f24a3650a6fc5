"""Predictions for rows in a file are those of the model."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_diabetes, load_digits

import hothouse
from common.data.sources import images
from common.data.sources.images import ImagesSource
from hothouse.results.predict import predict
from tests.command import command


@pytest.fixture(scope="module")
def digits(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> hothouse.Run:
    out = tmp_path_factory.mktemp("run") / "digits"
    return hothouse.run(quickstart, overrides=["federation.rounds=10"], engine="local", out=out)


def predicted(run: hothouse.Run, path: Path) -> list[dict[str, str]]:
    text, rows = predict(run.model, path)
    found = list(csv.DictReader(io.StringIO(text)))
    assert len(found) == rows
    return found


@pytest.mark.parametrize("form", ["npy", "npz", "csv"])
def test_labels_and_their_probabilities(digits: hothouse.Run, tmp_path: Path, form: str) -> None:
    rows, path = load_digits().data[:50], tmp_path / f"rows.{form}"
    if form == "npy":
        np.save(path, rows.reshape(50, 8, 8).astype(np.uint8))
    elif form == "npz":
        np.savez(path, x=rows)
    else:
        np.savetxt(path, rows, delimiter=",", header=",".join(f"p{n}" for n in range(64)), comments="")
    found = predicted(digits, path)
    assert [int(line["prediction"]) for line in found] == digits.model.predict(torch.tensor(rows))
    chances = digits.model(torch.tensor(rows)).softmax(dim=1).max(dim=1).values
    assert np.allclose([float(line["probability"]) for line in found], chances.detach(), atol=1e-5)


def test_labels_that_are_formulas_are_written_as_such_only_if_asked(tmp_path: Path) -> None:
    label = '=cmd|"/c calc"!A1'
    np.savez(tmp_path / "rows.npz", x_train=np.eye(4), y_train=np.array([label, "+1", "fine", "-"]))
    scenario = {
        "data": {
            "source": {"kind": "npz", "path": str(tmp_path / "rows.npz")},
            "partition": {"scheme": "iid", "clients": 1},
        },
        "model": {"layers": []},
        "training": {"optimizer": {"name": "sgd", "lr": 20.0}, "batch_size": 4},
    }
    run = hothouse.run(scenario, engine="local", out=tmp_path / "run")
    np.save(tmp_path / "rows.npy", np.eye(4))
    for options, mark in (([], ""), (["--safe-csv"], "'")):
        done = command("predict", run.folder, "--data", tmp_path / "rows.npy", *options)
        found = [line["prediction"] for line in csv.DictReader(io.StringIO(done.stdout))]
        assert found == [f"{mark}{label}", f"{mark}+1", "fine", f"{mark}-"]


def test_rows_for_which_the_model_gives_no_number_are_refused(digits: hothouse.Run, tmp_path: Path) -> None:
    rows = load_digits().data[:3]
    rows[1] = 1e18
    with torch.no_grad():
        digits.model.network.layers[0].weight.mul_(1e30)
    np.save(tmp_path / "rows.npy", rows)
    try:
        with pytest.raises(hothouse.InputError, match="row 1: the model's output is no finite number"):
            predict(digits.model, tmp_path / "rows.npy")
    finally:
        with torch.no_grad():
            digits.model.network.layers[0].weight.div_(1e30)


def test_targets_in_their_own_unit(tmp_path: Path) -> None:
    run = hothouse.run(
        {
            "data": {"source": {"kind": "sklearn", "name": "diabetes"}},
            "training": {"optimizer": {"name": "sgd", "lr": 0.02}},
        },
        engine="local",
        out=tmp_path / "run",
    )
    rows = load_diabetes(scaled=False).data
    np.save(tmp_path / "rows.npy", rows)
    found = [float(line["prediction"]) for line in predicted(run, tmp_path / "rows.npy")]
    assert 100 < np.mean(found) < 200


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_row_of_a_file_is_lost(digits: hothouse.Run, tmp_path: Path, separator: str) -> None:
    rows, names = load_digits().data[:5], [column.name for column in digits.model.data_spec.columns]
    np.savetxt(tmp_path / "bare.CSV", rows, delimiter=separator)
    np.savetxt(tmp_path / "named.csv", rows, delimiter=separator, header=separator.join(names), comments="")
    expected = digits.model.predict(torch.tensor(rows))
    for name in ("bare.CSV", "named.csv"):
        assert [int(line["prediction"]) for line in predicted(digits, tmp_path / name)] == expected


def test_columns_of_a_table_are_found_by_name(tmp_path: Path) -> None:
    lines = [f"{n},{'ab'[n % 2]},{n % 2}" for n in range(40)]
    (tmp_path / "t.csv").write_text("size,kind,y\n" + "\n".join(lines))
    source = {"kind": "csv", "path": str(tmp_path / "t.csv"), "target": "y"}
    run = hothouse.run({"data": {"source": source}, "federation": {"rounds": 1}}, engine="local", out=tmp_path / "run")
    (tmp_path / "new.csv").write_text('"other";"kind";"size"\n"x; y";b;3\n1;?;\n')
    assert len(predicted(run, tmp_path / "new.csv")) == 2
    (tmp_path / "new.csv").write_text("kind\nb\n")
    with pytest.raises(hothouse.InputError, match=r"new\.csv:1: expected a column size; the first line has kind"):
        predicted(run, tmp_path / "new.csv")


@pytest.mark.parametrize("out", ["/dev/full", "folder"])
def test_a_place_that_cannot_be_written_is_told(digits: hothouse.Run, tmp_path: Path, out: str) -> None:
    np.save(tmp_path / "rows.npy", np.zeros((3, 64)))
    (tmp_path / "folder").mkdir()
    words = ["predict", digits.folder, "--data", tmp_path / "rows.npy", "--out", tmp_path / out]
    done = command(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{tmp_path / out}: cannot be written (")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "rows.npy"]


HOLES = np.zeros((3, 64))
HOLES[1, 7] = np.inf


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (HOLES, "rows.npy", "row 1, column pixel_0_7: inf is no usable number"),
        (b",".join(b"p%d" % n for n in range(64)), "rows.csv", "no rows in it"),
        (np.zeros((0, 64)), "rows.npy", "no rows in it"),
        (np.float64(3), "rows.npy", "expected rows of 64 numbers, found 1"),
        (np.zeros((3, 63)), "rows.npy", "expected rows of 64 numbers, found 63"),
        (np.array([["a"] * 64]), "rows.npy", "expected rows of 64 numbers"),
        (b"a,b\n1,x\n", "rows.csv", "rows.csv:2: cannot be read as rows of numbers"),
        (b"PK garbage", "rows.npz", "damaged or not an .npz archive"),
        (None, "rows.npy", "no such file"),
    ],
)
def test_other_rows_are_refused(
    digits: hothouse.Run, tmp_path: Path, content: np.ndarray | bytes | None, name: str, message: str
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(hothouse.InputError, match=message):
        predicted(digits, path)


def test_values_are_read_as_training_read_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    region, number = rng.choice(["EU", "NA", "APAC"], 200), np.round(rng.normal(10, 2, 200), 2)
    gap = rng.random(200) < 0.25
    label = np.where((region == "NA") ^ (number > 11), "buy", "leave")

    def rows(decimal: str) -> str:
        told = [f"{-999 if gap[n] else number[n]}".replace(".", decimal) for n in range(200)]
        return "region;v;y\n" + "".join(f"{region[n]};{told[n]};{label[n]}\n" for n in range(200))

    (tmp_path / "t.csv").write_text(rows(","))
    source = {"kind": "csv", "path": str(tmp_path / "t.csv"), "target": "y", "separator": ";", "missing": ["", "-999"]}
    run = hothouse.run({"data": {"source": source}, "federation": {"rounds": 2}}, engine="local", out=tmp_path / "run")
    categories = list(run.model.data_spec.columns[0].categories or ())
    assert categories == ["APAC", "EU", "NA"]
    raw = torch.tensor([[categories.index(r), np.nan if g else v] for r, v, g in zip(region, number, gap, strict=True)])
    found = predicted(run, tmp_path / "t.csv")
    assert [line["prediction"] for line in found] == run.model.predict(raw)
    chances = run.model(raw).softmax(dim=1).max(dim=1).values.detach().numpy()
    assert [np.float32(line["probability"]) for line in found] == chances.tolist(), "every digit that counts"
    (tmp_path / "t.csv").write_text(rows("."))
    with pytest.raises(hothouse.InputError, match=r"t\.csv:\d+: v: expected a number, found '\d+\.\d+'"):
        predicted(run, tmp_path / "t.csv")


def test_each_row_of_a_table_gets_a_line_and_each_number_all_its_digits(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 400))
    y = 4_000_000 + 1000 * a + 300 * b
    lines = "".join(f"{p:.4f},{q:.4f},{z:.0f}\n" for p, q, z in zip(a, b, y, strict=True))
    (tmp_path / "t.csv").write_text("a,b,y\n" + lines)
    source = {"kind": "csv", "path": str(tmp_path / "t.csv"), "target": "y"}
    scenario = {
        "data": {"source": source, "partition": {"scheme": "iid", "clients": 4}},
        "model": {"layers": [], "dtype": "float64"},
        "training": {"epochs": 5, "optimizer": {"name": "sgd", "lr": 0.1}},
    }
    run = hothouse.run(scenario, engine="local", out=tmp_path / "run")
    (tmp_path / "new.csv").write_text("a,b\n0.5,0.1\n,\n-1.0,0.2\n0.01,0.02\n0.02,0.02\n")
    found = [line["prediction"] for line in predicted(run, tmp_path / "new.csv")]
    assert len(found) == 5
    rows = torch.tensor([[0.5, 0.1], [np.nan, np.nan], [-1.0, 0.2], [0.01, 0.02], [0.02, 0.02]], dtype=torch.float64)
    assert [float(text) for text in found] == run.model(rows).ravel().tolist()
    assert float(found[4]) - float(found[3]) == pytest.approx(10, abs=0.5), "a hundredth of a is worth ten"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> hothouse.Run:
    folder = tmp_path_factory.mktemp("texts")
    lines = ["pos\tgood" if n % 2 else "neg\tbad" for n in range(60)]
    (folder / "t.tsv").write_text("".join(f"{line} {n % 5}\n" for n, line in enumerate(lines)))
    scenario = {
        "data": {"source": {"kind": "text", "path": str(folder / "t.tsv")}},
        "federation": {"rounds": 5},
    }
    return hothouse.run(scenario, engine="local", out=folder / "run")


class TestTexts:
    def test_a_line_each_blank_or_not(self, run: hothouse.Run, tmp_path: Path) -> None:
        (tmp_path / "new.txt").write_text("good\n\nbad\n   \ngood")
        found = [line["prediction"] for line in predicted(run, tmp_path / "new.txt")]
        assert found == run.model.predict(["good", "", "bad", "   ", "good"])

    def test_the_column_text_of_a_table(self, run: hothouse.Run, tmp_path: Path) -> None:
        (tmp_path / "new.csv").write_text('id,text\n1,"good, really"\n2,bad\n')
        found = [line["prediction"] for line in predicted(run, tmp_path / "new.csv")]
        assert found == run.model.predict(["good, really", "bad"])
        (tmp_path / "new.tsv").write_text("label\ttext\npos\tgood\n")
        assert len(predicted(run, tmp_path / "new.tsv")) == 1

    @pytest.mark.parametrize("name", ["new.tsv", "new.csv", "new.npy"])
    def test_other_files_are_refused(self, run: hothouse.Run, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("pos\tgood\nneg\tbad\n")
        with pytest.raises(hothouse.InputError, match=r"the model takes texts; expected a \.txt with a text"):
            predicted(run, tmp_path / name)


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pets")
    rng = np.random.default_rng(0)
    for place, label in enumerate(("dark", "bright")):
        (folder / label).mkdir()
        for n in range(20):
            pixels = rng.integers(20 + 120 * place, 100 + 120 * place, (12, 12, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{n}.png")
    return folder


class TestPictures:
    @pytest.mark.parametrize("color", ["grey", "rgb"])
    def test_are_read_as_in_training(self, pets: Path, tmp_path: Path, color: str) -> None:
        source = {"kind": "images", "path": str(pets), "height": 8, "width": 8, "color": color}
        data = {"source": source, "partition": {"scheme": "iid", "clients": 2}}
        run = hothouse.run({"data": data, "model": {"layers": []}}, engine="local", out=tmp_path / "run")
        names = sorted(f"{n}.png" for n in range(20))
        rows = torch.from_numpy(images.read(ImagesSource(**source), 0).x)
        bright, dark = predicted(run, pets / "bright"), predicted(run, pets / "dark" / "3.png")
        assert [line["file"] for line in bright] == names
        assert [line["prediction"] for line in bright] == run.model.predict(rows[:20])
        chances = run.model(rows[20 + names.index("3.png")][None]).softmax(dim=1)
        assert float(dark[0]["probability"]) == pytest.approx(chances.max().item(), abs=1e-6)
        for path, message in ((pets, "no picture there"), (pets / "none.png", "none.png: no picture there")):
            with pytest.raises(hothouse.InputError, match=message):
                predicted(run, path)

    def test_are_refused_by_a_model_of_other_rows(self, digits: hothouse.Run, pets: Path) -> None:
        with pytest.raises(hothouse.InputError, match="the model takes rows of 64 numbers; it was not trained on"):
            predicted(digits, pets / "dark")
