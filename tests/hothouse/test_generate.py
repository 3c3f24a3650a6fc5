"""What a generative run leaves, and what `hothouse generate` and `run.model` make of it."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import hothouse
from common.data.data_spec import DataSpec
from common.data.inverse import raw_examples
from common.data.table import Column
from common.errors import InputError
from common.models.generator import Generator
from common.run_files import read_lines, read_object
from hothouse.archives.archive import export_run, import_run
from tests.command import command

TABLE = "age,dose,city,well\n" + "".join(
    f"{20 + n % 37},{'' if n % 5 == 0 else (150 + n % 41) / 2},{['oslo', 'rome', 'bern'][n % 3]},"
    f"{'yes' if n % 4 else 'no'}\n"
    for n in range(120)
)


def scenario(source: dict[str, Any], folder: Path, **parts: Any) -> dict[str, Any]:
    return {
        "seed": 4,
        "data": {"source": source, "partition": {"scheme": "iid", "clients": 3}, "test_fraction": 0.2},
        "model": {"name": "vae", "latent": 3, "layers": [7], "conditional": True},
        "training": {"batch_size": 8, "epochs": 1, "optimizer": {"name": "adam", "lr": 0.01}},
        "federation": {"rounds": 6, "clients_per_round": 1.0},
        **parts,
    }


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> hothouse.Run:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 120)
    pixels = np.clip(rng.normal(60 + 60 * labels[:, None, None], 30, (120, 4, 4)), 0, 255).astype(np.uint8)
    np.savez(folder / "images.npz", x_train=pixels[..., None], y_train=np.array(["a", "b", "c"])[labels])
    source = {"kind": "npz", "path": str(folder / "images.npz")}
    return hothouse.run(scenario(source, folder), engine="local", out=folder / "run")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> hothouse.Run:
    folder = tmp_path_factory.mktemp("table")
    (folder / "people.csv").write_text(TABLE)
    source = {"kind": "csv", "path": str(folder / "people.csv"), "target": "well"}
    chosen = scenario(source, folder)
    chosen["data"]["missing"] = "indicator"
    return hothouse.run(chosen, engine="local", out=folder / "run")


def model_of(run: hothouse.Run) -> Generator:
    assert isinstance(run.model, Generator)
    return run.model


def test_a_run_records_what_it_makes(images: hothouse.Run, table: hothouse.Run) -> None:
    made = read_object(images.folder / "generated.json")
    assert [line["round"] for line in read_lines(images.folder / "samples.jsonl")] == [1, 2, 3, 4, 6]
    assert (len(made["samples"]), len(made["sample_labels"]), len(made["originals"]), len(made["walks"])) == (
        (30, 30, 10, 4)
    )
    assert read_lines(images.folder / "samples.jsonl")[-1]["samples"] == made["samples"]
    rows = read_object(table.folder / "generated.json")
    assert rows["columns"] == ["age", "dose", "city"]
    assert {row[2] for row in rows["samples"]} <= {"oslo", "rome", "bern", None}
    for run in (images, table):
        shown = (run.folder / "report.html").read_text()
        for heading in (
            "Samples after round 1",
            "Samples after round 6",
            "Reconstructions",
            "Distance to the training",
        ):
            assert heading in shown


def test_distances_are_to_the_nearest_training_example(images: hothouse.Run) -> None:
    from common.data import prepare

    prepared, model = prepare(images.scenario), model_of(images)
    training = np.concatenate([prepared.training_examples(client) for client in range(3)])
    made = model.generate(200, seed=images.scenario.seed + 1).numpy() / 255
    x = np.array(prepared.x, dtype=float) / 255
    test = x[np.array(prepared.test)]
    found = read_object(images.folder / "generated.json")["nearest"]
    assert found["training_examples"] == len(training)
    for name, examples in (("samples", made), ("held_out", test)):
        apart = np.sqrt(((examples[:, None] - x[training][None]) ** 2).mean(axis=2)).min(axis=1)
        assert found[name] == pytest.approx(np.percentile(apart, [5, 25, 50, 75, 95]), rel=1e-4)


def test_codes_decode_to_what_the_network_makes_of_them(images: hothouse.Run) -> None:
    model = model_of(images)
    some = torch.tensor([[10.0] * 16, [200.0] * 16])
    codes = model.encode(some, ["a", "c"])
    module: Any = model.network.module
    mean, _ = module.encode(some / 255, torch.tensor([0, 2]))
    assert torch.allclose(codes, mean)
    again = model.decode(codes, ["a", "c"])
    assert torch.allclose(again, 255 * module.decode(mean, torch.tensor([0, 2])).double())
    assert torch.allclose(model.vary(some[:1], 0.0, 3, "a"), again[:1].expand(3, -1))
    line = model.between(some[:1], some[1:], 5, "b")
    ends = model.decode(torch.cat([model.encode(some[:1], "b"), model.encode(some[1:], "b")]), "b")
    assert torch.allclose(line[[0, -1]], ends)
    middle = model.decode((model.encode(some[:1], "b") + model.encode(some[1:], "b")) / 2, "b")
    assert torch.allclose(line[2], middle[0])


def test_samples_follow_from_the_seed_and_the_temperature(images: hothouse.Run) -> None:
    model = model_of(images)
    assert torch.equal(model.generate(5, seed=1), model.generate(5, seed=1))
    assert not torch.equal(model.generate(5, seed=1), model.generate(5, seed=2))
    cold = model.generate(4, "b", temperature=0.0)
    assert torch.allclose(cold, model.decode(torch.zeros(1, 3), "b").expand(4, -1))
    warm, hot = (model.generate(500, "b", temperature=t, seed=3).std(dim=0).mean() for t in (0.5, 2.0))
    assert warm < hot
    _, labels = model.generate_labelled(3000, seed=5)
    counts = model.data_spec.label_counts / model.data_spec.label_counts.sum()
    assert [labels.count(name) / 3000 for name in "abc"] == pytest.approx(counts, abs=0.03)


def test_scores_are_what_evaluation_measures(images: hothouse.Run) -> None:
    from common.data import prepare

    prepared, model = prepare(images.scenario), model_of(images)
    x = torch.from_numpy(np.array(prepared.x)[np.array(prepared.test)])
    labels = [prepared.meta.labels[code] for code in prepared.y[np.array(prepared.test)]]
    found = model.score(x, labels)
    assert set(found) == {"loss", "reconstruction", "kl", "error"}
    # The divergence is computed and not drawn, so it has no noise.
    assert float(found["kl"].mean()) == pytest.approx(images.metrics.test_kl.iloc[-1], rel=1e-5)
    assert float(found["loss"].mean()) == pytest.approx(images.metrics.test_loss.iloc[-1], rel=0.05)


def test_means_become_examples_again() -> None:
    """Numbers are unscaled, and rounded where they are whole; what is drawn comes as often as it is likely."""
    spec = DataSpec(
        task="generation",
        row_shape=(3,),
        labels=(),
        columns=(Column("dose"), Column("city", ("bern", "oslo", "rome")), Column("age", whole=True)),
        shift=np.array([10.0, 0.0, 40.0]),
        scale=np.array([2.0, 1.0, 5.0]),
        fill=np.zeros(3),
        own_fill=False,
        indicators=(2,),
        target_shift=np.empty(0),
        target_scale=np.empty(0),
    )
    means = torch.tensor([[1.5, -0.33, 0.2, 0.5, 0.3, 0.25]], dtype=torch.float64).expand(40_000, -1)
    assert raw_examples(spec, means)[0].tolist() == [13.0, 1.0, 38.0], "the most likely one"
    assert raw_examples(spec, 1 - means)[0, 2].isnan()
    made = raw_examples(spec, means, np.random.default_rng(1), sigma=0.5)
    assert (float(made[:, 0].mean()), float(made[:, 0].std())) == pytest.approx((13.0, 1.0), abs=0.02)
    ages = made[:, 2][~made[:, 2].isnan()]
    assert torch.equal(ages, ages.round())
    assert float(ages.mean()) == pytest.approx(40 - 0.33 * 5, abs=0.05)
    assert float(made[:, 2].isnan().double().mean()) == pytest.approx(0.25, abs=0.01)
    shares = torch.bincount(made[:, 1].long()) / 40_000
    assert shares.tolist() == pytest.approx([0.2, 0.5, 0.3], abs=0.01)


def test_files_are_pictures_arrays_and_tables(images: hothouse.Run, table: hothouse.Run, tmp_path: Path) -> None:
    done = command("generate", images.folder, "--count", 10, "--label", "b", "--out", tmp_path / "s.png")
    assert (done.returncode, done.stdout) == (0, f"10 examples in {tmp_path / 's.png'}\n")
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.size == (8 * 5 - 1, 2 * 5 - 1)
    assert command("generate", images.folder, "--count", 7, "--out", tmp_path / "s.npz").returncode == 0
    with np.load(tmp_path / "s.npz", allow_pickle=False) as arrays:
        assert (arrays["x"].dtype, arrays["x"].shape, len(arrays["y"])) == (np.uint8, (7, 4, 4, 1), 7)
    with Image.open(tmp_path / "s.png") as picture:
        picture.crop((0, 0, 4, 4)).save(tmp_path / "one.png")
    like = command(
        *("generate", images.folder, "--like", tmp_path / "one.png", "--vary", 0, "--label", "b", "--count", 2),
        *("--out", tmp_path / "like.png"),
    )
    assert like.returncode == 0, like.stderr
    between = command(
        *("generate", images.folder, "--between", tmp_path / "one.png", tmp_path / "one.png", "--label", "b"),
        *("--steps", 5, "--out", tmp_path / "walk.png"),
    )
    assert between.returncode == 0, between.stderr
    with Image.open(tmp_path / "walk.png") as picture:
        assert picture.size == (5 * 5 - 1, 4)
    rows = list(csv.DictReader(io.StringIO(command("generate", table.folder, "--count", 50).stdout)))
    assert list(rows[0]) == ["age", "dose", "city", "well"]
    assert all(row["age"].lstrip("-").isdigit() for row in rows)
    assert {row["well"] for row in rows} <= {"yes", "no"}
    assert any(not row["dose"] for row in rows)
    assert {row["city"] for row in rows} <= {"oslo", "rome", "bern"}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--label", "z"], "expected one of the labels a, b, c, got 'z'"),
        (["--out", "s.csv"], "--out: expected a file .png or .npz, got .csv"),
        (["--like", "one.png", "--between", "one.png", "one.png"], "expected either --like or --between, not both"),
        (["--like", "nothing.png"], "nothing.png: no picture there"),
        (["--between", "a.npz", "a.npz", "--label", "a"], "a.npz: expected a single example, found 2"),
    ],
)
def test_what_cannot_be_made_is_refused(
    options: list[str], complaint: str, images: hothouse.Run, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 4, 4, 1), np.uint8))
    Image.new("L", (4, 4)).save(tmp_path / "one.png")
    done = command("generate", images.folder, *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_each_kind_of_model_says_what_it_is_not(images: hothouse.Run, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 16)))
    done = command("predict", images.folder, "--data", tmp_path / "x.npy")
    assert done.returncode == 2
    assert "the model makes examples and predicts nothing (vae); use hothouse generate" in done.stderr
    source = images.scenario.data.source.model_dump(mode="json")
    others = {
        "mlp": ({"layers": [3]}, "expected a generative model, such as vae; mlp predicts: hothouse predict"),
        "autoencoder": (
            {"name": "autoencoder", "latent": 2, "layers": []},
            "has no distribution of codes to draw from",
        ),
    }
    for name, (model, complaint) in others.items():
        chosen = scenario(source, tmp_path, model=model, federation={"rounds": 1})
        run = hothouse.run(chosen, engine="local", out=tmp_path / name)
        done = command("generate", run.folder, "--out", tmp_path / "s.png")
        assert done.returncode == 2
        assert complaint in done.stderr
    coder = hothouse.load(tmp_path / "autoencoder").model
    assert isinstance(coder, Generator)
    with pytest.raises(InputError, match="autoencoder makes examples and predicts nothing"):
        coder.predict(torch.zeros(2, 16))
    assert torch.equal(coder(torch.zeros(2, 16)), coder.decode(coder.encode(torch.zeros(2, 16))))
    assert coder.decode(coder.encode(torch.zeros(2, 16))).shape == (2, 16)
    with pytest.raises(InputError, match="expected no label: the model was trained without"):
        coder.encode(torch.zeros(2, 16), "a")


def test_clients_may_have_decoders_of_their_own(images: hothouse.Run, tmp_path: Path) -> None:
    source = images.scenario.data.source.model_dump(mode="json")
    federation = {"rounds": 2, "clients_per_round": 1.0, "strategy": {"name": "fedper", "children": ["decoder"]}}
    run = hothouse.run(scenario(source, tmp_path, federation=federation), engine="local", out=tmp_path / "run")
    assert "samples" not in read_object(run.folder / "generated.json")
    with pytest.raises(InputError, match="own_model"):
        _ = run.model
    one, other = (run.own_model(client) for client in (0, 1))
    assert isinstance(one, Generator)
    assert isinstance(other, Generator)
    assert not torch.equal(one.generate(3, "a"), other.generate(3, "a"))


def test_networks_compete_by_their_loss(images: hothouse.Run, tmp_path: Path) -> None:
    source = images.scenario.data.source.model_dump(mode="json")
    federation = {"rounds": 2, "clients_per_round": 1.0, "strategy": {"name": "competition"}}
    chosen = scenario(source, tmp_path, federation=federation)
    chosen["data"] |= {"validation_fraction": 0.2}
    run = hothouse.run(chosen, engine="local", out=tmp_path / "run")
    lines = read_lines(run.folder / "ladder.jsonl")
    assert lines[-1]["metric"] == "validation_loss"
    assert min(lines[-1]["scores"]) == pytest.approx(run.metrics.validation_loss.iloc[-1], rel=1e-6)


def test_an_archive_holds_encoder_and_decoder(images: hothouse.Run, table: hothouse.Run, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    for run, name in ((images, "images"), (table, "table")):
        model, archive = model_of(run), export_run(run.folder, tmp_path / name, onnx=True)
        with zipfile.ZipFile(archive) as packed:
            encoder, decoder = (
                onnxruntime.InferenceSession(packed.read(f"{part}.onnx")) for part in ("encoder", "decoder")
            )
        width = len(model.data_spec.shift)
        kind = encoder.get_inputs()[0].type
        rows = np.zeros((3, width), np.float64 if "double" in kind else np.float32)
        labels = np.array([0, 1, 0])
        codes = encoder.run(None, {"rows": rows, "labels": labels})[0]
        names = [model.data_spec.labels[code] for code in labels]
        np.testing.assert_allclose(codes, model.encode(torch.from_numpy(rows), names), atol=1e-5)
        means = decoder.run(None, {"codes": codes, "labels": labels})[0]
        numbers = [
            n for n, column in enumerate(model.data_spec.columns) if column.categories is None and not column.whole
        ]
        again = model.decode(torch.from_numpy(codes), names).numpy()
        if name == "images":
            np.testing.assert_allclose(means, again, atol=1e-3)
        else:
            known = ~np.isnan(again[:, numbers])
            np.testing.assert_allclose(means[:, numbers][known], again[:, numbers][known], atol=1e-4)
    restored = import_run(archive, tmp_path / "restored").model
    assert isinstance(restored, Generator)
    assert torch.equal(restored.generate(2, seed=3)[:, 0], model_of(table).generate(2, seed=3)[:, 0])


@pytest.mark.slow
def test_images_agree_to_rounding_on_another_processor(images: hothouse.Run, tmp_path: Path) -> None:
    """PyTorch and the libraries below it compute as on a processor without vector units."""
    script = (
        "import sys, hothouse, numpy\n"
        f"made = hothouse.load({str(images.folder)!r}).model.generate(64, label='b', seed=1)\n"
        "numpy.save(sys.argv[1], made.numpy() / 255)\n"
    )
    plain = {
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "MKL_CBWR": "COMPATIBLE",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
    }
    made = []
    for name, changed in (("here", {}), ("there", plain)):
        command = [sys.executable, "-c", script, str(tmp_path / f"{name}.npy")]
        subprocess.run(command, check=True, env=os.environ | changed)
        made.append(np.load(tmp_path / f"{name}.npy"))
    assert np.abs(made[0] - made[1]).max() < 1e-5
