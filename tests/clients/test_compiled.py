"""The compiled trainer: built where there is a compiler, the same bits on every processor, safe, and optional.

That it trains as PyTorch does is checked with everything else in `test_truth.py`.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clients.blocks.blocks import train_blocks
from clients.compiled import kernel_arguments, trainer
from clients.compiled.library import Library, library
from common import seeds
from common.arrays import NamedArrays
from common.data import Prepared
from common.data.data_spec import DataSpec
from common.data.prepared import META
from common.losses import loss_for
from common.messages import BUFFERS, TrainOrder
from common.models import build
from common.scenario import Scenario
from common.scenario.activations import ActivationPart
from common.scenario.optimizers import Sgd
from common.scenario.registry import FAMILIES, Family
from common.scenario.trainers import trainer_for, uncovered
from common.settings import ClientSettings
from tests.clients.odd_work import odd_work, results
from tests.conftest import REPOSITORY
from tests.federations import data_spec, federation, named, scenario, train_order

KERNEL = REPOSITORY / "clients" / "compiled" / "kernel"
COMPILER = shutil.which("cc")


@pytest.fixture(scope="module")
def built() -> Library:
    found = library()
    if found is None and COMPILER is None:
        pytest.skip("no C compiler was here when Hothouse was installed")
    assert found is not None, "there is a C compiler, but the package's build made no trainer; install it again"
    return found


@pytest.mark.skipif(COMPILER is None, reason="no C compiler")
@pytest.mark.parametrize("code", ["long hothouse_work_bytes(void) { return 8; }", ""], ids=["other", "older"])
def test_one_of_another_version_is_not_called(tmp_path: Path, code: str) -> None:
    (tmp_path / "other.c").write_text(f"{code}\nint hothouse_lanes(void) {{ return 4; }}")
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", "other.so", "other.c"], cwd=tmp_path, check=True)
    with pytest.raises(OSError, match="is of another version"):
        Library(tmp_path / "other.so")


def test_every_width_of_vectors_gives_the_same_bits(built: Library) -> None:
    """With 4 numbers fused multiply-add is computed without the instruction."""
    for seed in range(200):
        widest = odd_work(seed)
        built.train(widest)
        for lanes in (4, 8):
            if lanes < built.lanes:
                narrow = odd_work(seed)
                built.train(narrow, lanes=lanes)
                assert results(narrow) == results(widest), (seed, lanes)


@pytest.mark.slow
@pytest.mark.skipif(COMPILER is None, reason="no C compiler")
def test_every_width_gives_the_same_bits_whatever_the_processor(built: Library, tmp_path: Path) -> None:
    """All three widths, built without instructions that this processor may lack."""
    flags = ["-std=gnu11", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-DPORTABLE", "-Wno-psabi"]
    sources = sorted(map(str, KERNEL.glob("*.c")))
    subprocess.run(["cc", *flags, "-o", "portable.so", *sources], cwd=tmp_path, check=True)
    portable = Library(tmp_path / "portable.so")
    for seed in range(200):
        ours = odd_work(seed)
        built.train(ours)
        for lanes in (4, 8, 16):
            theirs = odd_work(seed)
            portable.train(theirs, lanes=lanes)
            assert results(theirs) == results(ours), (seed, lanes)


def test_a_call_depends_on_nothing_but_its_work(built: Library) -> None:
    alone = [odd_work(seed) for seed in range(40)]
    for work in alone:
        built.train(work)
    together = [odd_work(seed) for seed in range(40)]
    threads = [threading.Thread(target=built.train, args=(work,)) for work in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results(work) for work in alone] == [results(work) for work in together]


def test_other_threads_run_while_it_trains(built: Library) -> None:
    work = large_work()
    thread = threading.Thread(target=built.train, args=(work,))
    ticks = 0
    thread.start()
    while thread.is_alive():
        time.sleep(0.001)
        ticks += 1
    assert ticks > 20


def large_work() -> dict[str, Any]:
    """About half a second of training on one thread."""
    rows, widths = 4000, np.array([256, 256, 10])
    return odd_work(1) | {
        "layers": 2,
        "widths": widths,
        "activation": 0,
        "dropout": np.zeros(2),
        "drop_connect": 0.0,
        "normalization": 0,
        "trains": np.ones((2, 4), np.int64),
        "output": 0,
        "loss": 0,
        "class_weights": None,
        "optimizer": 0,
        "states": 0,
        "fused": 1,
        "clipped": 0,
        "constants": np.zeros((1, 12)),
        "repeats": 1,
        "mixup": None,
        "origin": None,
        "control": None,
        "rates": np.full((1, 1), 0.01),
        "rate_steps": 1,
        "clients": 1,
        "starts": np.array([0, rows]),
        "steps": np.array([4000]),
        "batch": 10,
        "rows": np.arange(rows),
        "labels": np.arange(rows) % 10,
        "targets": None,
        "x": np.random.default_rng(0).normal(size=(rows, 256)).astype(np.float32),
        "kind": 1,
        "fill": None,
        "shift": None,
        "scale": None,
        "order_keys": np.array([5], dtype=np.uint64),
        "forks": seeds.marks(16),
        "start": np.full((1, 257 * 256 + 257 * 10), 0.01, np.float32),
        "start_stride": 0,
        "trained": np.empty((1, 257 * 256 + 257 * 10), np.float32),
        "taken": None,
        "losses": np.empty(1),
    }


def test_rows_that_do_not_exist_are_never_read(built: Library, tmp_path: Path) -> None:
    prepared = federation(tmp_path, [8, 8])
    prepared._shards[3] = 1 << 40
    chosen = scenario(model={"layers": [4]}, training={"batch_size": 4, "trainer": "compiled"})
    reply = train_blocks(prepared, train_order(chosen, prepared, [[0, 1]]))
    assert list(reply.excluded) == [0]
    assert "IndexError" in reply.excluded[0]
    assert reply.weights.tolist() == [8.0]


def test_arrays_of_another_type_are_refused(built: Library) -> None:
    work = odd_work(2)
    with pytest.raises(TypeError, match="rows must be a contiguous array of"):
        built.train(work | {"rows": work["rows"].astype(np.int32)})


def by_both(
    chosen: dict[str, Any], prepared: Prepared, agreed: DataSpec, **more: Any
) -> tuple[NamedArrays, NamedArrays]:
    """Every client's own weights, trained by the compiled trainer and by PyTorch."""
    found = []
    for engine in ("compiled", "torch"):
        parts = chosen | {"training": {**chosen["training"], "trainer": engine}}
        reply = train_blocks(prepared, order_for(scenario(**parts), prepared, agreed, **more))
        assert not reply.excluded
        found.append(reply.sums["parameters"] | reply.sums.get(BUFFERS, {}) | (reply.state or {}))
    return found[0], found[1]


def order_for(chosen: Scenario, prepared: Prepared, agreed: DataSpec, **more: Any) -> TrainOrder:
    order = train_order(chosen, prepared, [[client] for client in prepared.clients.tolist()], **more)
    network = build(chosen.model, agreed, seed=3)
    return replace(order, data_spec=agreed, parameters=named(network))


def assert_same(one: NamedArrays, other: NamedArrays, tolerance: float = 1e-4) -> None:
    """Sums over up to 40 rows, hence ten times the tolerance of weights."""
    assert set(one) == set(other)
    for name in one:
        assert np.abs(one[name] - other[name]).max() <= tolerance, name


@pytest.mark.parametrize(
    "model",
    [{"normalization": "layer"}, {"drop_connect": 0.2, "input_dropout": 0.1}, {"frozen": ["layers.0"]}],
    ids=str,
)
@pytest.mark.parametrize("training", [{}, {"mixup": 0.5}, {"clip_norm": 0.1}], ids=str)
def test_both_trainers_agree_on_batches_that_the_kernel_takes_in_parts(
    built: Library, tmp_path: Path, model: dict[str, Any], training: dict[str, Any]
) -> None:
    prepared = federation(tmp_path, [300, 129])
    parts = {"model": {"layers": [9, 7], "activation": "tanh", **model}}
    parts["training"] = {"batch_size": "full", "epochs": 3, "optimizer": {"name": "sgd", "lr": 0.3}, **training}
    # Sums over as many examples.
    assert_same(*by_both(parts, prepared, spec_of(prepared)), 429 * 1e-5)


@pytest.mark.parametrize("rates", [{"dropout": 0.5}, {"dropout": [0.3, 0.0]}, {"input_dropout": 0.2, "dropout": 0.1}])
def test_both_trainers_drop_the_same_units(built: Library, tmp_path: Path, rates: dict[str, Any]) -> None:
    prepared = federation(tmp_path, [23, 5, 40])
    chosen = {"seed": 5, "model": {"layers": [70, 9], **rates}, "training": {"batch_size": 8, "epochs": 2}}
    without = {**chosen, "model": {"layers": [70, 9]}}
    ours, theirs = by_both(chosen, prepared, spec_of(prepared))
    assert_same(ours, theirs)
    undropped, _ = by_both(without, prepared, spec_of(prepared))
    assert any(np.abs(ours[name] - undropped[name]).max() > 0.01 for name in ours)


def spec_of(prepared: Prepared, **changes: Any) -> DataSpec:
    return data_spec("classification", prepared.x.shape[1], tuple(prepared.meta.labels), **changes)


RAW = np.random.default_rng(7).integers(0, 200, size=(68, 6))
GAPS = np.where(np.random.default_rng(8).random((68, 6)) < 0.2, np.nan, RAW.astype(np.float64))


@pytest.mark.parametrize(
    ("x", "changes"),
    [
        (RAW.astype(np.uint8), {"scale": np.full(6, 255.0)}),
        (RAW.astype(np.float32), {"shift": RAW.mean(0), "scale": RAW.std(0)}),
        (RAW.astype(np.float64), {"shift": RAW.mean(0), "scale": RAW.std(0)}),
        (RAW.astype(np.int16), {"shift": RAW.mean(0), "scale": RAW.std(0)}),
        (GAPS, {"fill": RAW.mean(0), "shift": RAW.mean(0), "scale": RAW.std(0)}),
        (GAPS, {"fill": RAW.mean(0), "own_fill": True, "shift": RAW.mean(0), "scale": RAW.std(0)}),
        (GAPS, {"fill": RAW.mean(0), "indicators": (1, 4), "shift": RAW.mean(0), "scale": RAW.std(0)}),
    ],
    ids=["bytes", "float32", "float64", "other numbers", "gaps", "gaps, own means", "gaps, indicators"],
)
def test_both_trainers_see_the_same_rows(
    built: Library, tmp_path: Path, x: np.ndarray[Any, Any], changes: dict[str, Any]
) -> None:
    federation(tmp_path, [23, 5, 40])
    np.save(tmp_path / "x.npy", x)
    prepared, flags = (
        Prepared(tmp_path),
        {name: changes.pop(name) for name in ("own_fill", "indicators") if name in changes},
    )
    agreed = replace(spec_of(prepared, **changes), **flags)
    assert_same(*by_both({"model": {"layers": [9]}, "training": {"batch_size": 8}}, prepared, agreed))


AUGMENTATION = [{"kind": "rotation", "degrees": 90.0}, {"kind": "noise", "sigma": 0.5}, "feature_dropout"]


@pytest.mark.parametrize(
    ("training", "model"),
    [
        ({"epochs": 3, "batch_size": 8}, {"dropout": 0.3}),
        ({"steps": 7, "batch_size": 4, "schedule": {"name": "exponential", "factor": 0.8, "by": "step"}}, {}),
        ({"epochs": 3, "batch_size": "full", "optimizer": "adam"}, {}),
        ({"steps": 3, "batch_size": 2, "optimizer": {"name": "adagrad", "initial": 0.5}}, {"input_dropout": 0.2}),
        ({"epochs": 2, "batch_size": 8, "optimizer": "adam", "optimizer_state": "client", "clip_norm": 0.5}, {}),
    ],
    ids=["epochs", "steps", "full batch", "less than an epoch", "kept state"],
)
@pytest.mark.parametrize("numbers", [1, 100, 1 << 24])
def test_both_trainers_augment_alike_however_clients_are_called(
    built: Library,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    training: dict[str, Any],
    model: dict[str, Any],
    numbers: int,
) -> None:
    federation(tmp_path, [23, 5, 40])
    np.save(tmp_path / "x.npy", GAPS)
    (tmp_path / META).write_text(replace(Prepared(tmp_path).meta, row_shape=[2, 3]).to_json())
    prepared = Prepared(tmp_path)
    agreed = replace(spec_of(prepared, fill=RAW.mean(0), shift=RAW.mean(0), scale=RAW.std(0)), own_fill=True)
    chosen = {"seed": 5, "model": {"layers": [9], **model}, "training": {**training, "augmentation": AUGMENTATION}}
    monkeypatch.setattr(trainer, "_NUMBERS", numbers)
    ours, theirs = by_both(chosen, prepared, agreed)
    assert_same(ours, theirs)
    plain, _ = by_both({**chosen, "training": training}, prepared, agreed)
    assert any(np.abs(ours[name] - plain[name]).max() > 0.01 for name in ours)


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", {"name": "rmsprop", "momentum": 0.5}, "momentum"])
def test_both_trainers_keep_the_same_from_round_to_round(built: Library, tmp_path: Path, optimizer: Any) -> None:
    prepared = federation(tmp_path, [23, 5, 40])
    training = {"batch_size": 8, "optimizer": optimizer, "optimizer_state": "client"}
    kept: dict[str, NamedArrays] = {}
    for number in (1, 2):
        for engine in ("compiled", "torch"):
            order = order_for(
                scenario(model={"layers": [9]}, training={**training, "trainer": engine}),
                prepared,
                spec_of(prepared),
                round_number=number,
            )
            order = replace(order, state=kept.get(engine, {}), fresh=np.full(3, number == 1))
            reply = train_blocks(prepared, order)
            assert not reply.excluded
            kept[engine] = reply.state
        assert_same(kept["compiled"], kept["torch"], 1e-5)
    if optimizer == "adam":
        assert kept["compiled"]["steps"].tolist() == [6, 2, 10]


IN_STEPS = [family for family in FAMILIES.values() if family.in_steps]
WHERE = {
    "activations": ("model", "activation"),
    "losses": ("training", "loss"),
    "normalizations": ("model", "normalization"),
    "optimizers": ("training", "optimizer"),
}
NOT_IN_STEPS = ("statistics",)
BESIDE: dict[str, dict[str, Any]] = {"nesterov": {"momentum": 0.9}}
"""What keys need beside them."""


def compiled_parts(family: Family) -> list[dict[str, Any]]:
    """Every part of a family that declares itself compiled, by its name and once more with each of its keys set."""
    found: list[dict[str, Any]] = []
    for name, part in family.parts.items():
        if part.compiled is True:
            keys = [key for key in part.model_fields if key not in (family.tag, *NOT_IN_STEPS)]
            found += [{family.tag: name}, *({family.tag: name, **BESIDE.get(key, {}), key: other(key)} for key in keys)]
    return found


def other(key: str) -> Any:
    return {"nesterov": True, "class_weights": {"0": 3.0}}.get(key, 0.05)


def of_task(part: dict[str, Any]) -> dict[str, Any]:
    return {"output": "sigmoid"} if part.get("name") == "binary_cross_entropy" else {}


def with_part(family: Family, part: dict[str, Any]) -> dict[str, Any]:
    group, key = WHERE[family.title]
    chosen: dict[str, Any] = {"model": {"layers": [9], **of_task(part)}, "training": {"batch_size": 8}}
    chosen[group] |= {key: part}
    return chosen


@pytest.mark.parametrize(
    ("family", "part"),
    [(family, part) for family in IN_STEPS for part in compiled_parts(family)],
    ids=lambda value: value.title if isinstance(value, Family) else "-".join(map(str, value)) + f"-{value['name']}",
)
def test_what_declares_itself_compiled_is_heeded(
    built: Library, tmp_path: Path, family: Family, part: dict[str, Any]
) -> None:
    prepared = federation(tmp_path, [23, 5, 40])
    ours, theirs = by_both(with_part(family, part), prepared, spec_of(prepared))
    assert_same(ours, theirs, 1e-3)
    set_here = [key for key in part if key != family.tag]
    if set_here:
        without = {key: value for key, value in part.items() if key != set_here[-1]}
        plain, _ = by_both(with_part(family, without), prepared, spec_of(prepared))
        apart, changed = (max(np.abs(ours[name] - there[name]).max() for name in ours) for there in (theirs, plain))
        assert changed > 5 * apart


def test_every_combination_that_is_allowed_has_its_codes(tmp_path: Path) -> None:
    prepared = federation(tmp_path, [5])
    agreed = spec_of(prepared)
    combinations = itertools.product(*(compiled_parts(family) for family in IN_STEPS))
    for parts in combinations:
        by_key = dict(zip((WHERE[family.title] for family in IN_STEPS), parts, strict=True))
        model = {key: part for (group, key), part in by_key.items() if group == "model"}
        training = {key: part for (group, key), part in by_key.items() if group == "training"}
        chosen = scenario(model={**model, **of_task(training["loss"])}, training=training)
        assert uncovered(chosen.model, chosen.training, chosen.federation.strategy) is None
        settings, network = ClientSettings.of(chosen), build(chosen.model, agreed, 0)
        loss = loss_for(chosen.training.loss, network.output, agreed, torch.float32)
        kernel_arguments.network_members(network, agreed.features)
        kernel_arguments.loss_members(settings, network, loss)
        kernel_arguments.optimizer_members(chosen.training, 1)


class Twice(ActivationPart, runs="builtins:abs"):
    """An activation of somebody else's."""

    amount: float = 1.0


class Steeper(Sgd):
    """An optimizer made of another one."""


def test_what_declares_nothing_is_trained_by_pytorch() -> None:
    chosen = scenario()
    strategy = chosen.federation.strategy
    Twice.part_name = "twice"
    Steeper.part_name = "steeper"
    theirs = chosen.model.model_copy(update={"activation": Twice()})
    assert uncovered(theirs, chosen.training, strategy) == "model.activation twice"
    inherited = chosen.training.model_copy(update={"optimizer": Steeper()})
    assert uncovered(chosen.model, inherited, strategy) == "training.optimizer steeper"


LARGE_BATCHES = "model.normalization batch with training.batch_size above 128"


@pytest.mark.parametrize(
    ("parts", "beyond"),
    [
        ({}, None),
        ({"training": {"schedule": "cosine", "augmentation": ["noise"]}, "model": {"initialization": "zeros"}}, None),
        ({"training": {"regularization": {"l1": 0.1, "l2": 0.1, "weight_decay": 0.1, "biases": True}}}, None),
        ({"model": {"activation": "gelu", "dropout": 0.2}, "training": {"clip_norm": 1.0}}, None),
        ({"model": {"dtype": "float64"}}, "model.dtype float64"),
        ({"model": {"normalization": "layer", "drop_connect": 0.1, "frozen": ["layers.0"]}}, None),
        ({"training": {"regularization": {"l1_budget": 1.0, "l2_budget": 1.0}, "mixup": 0.2}}, None),
        ({"model": {"normalization": "batch"}, "training": {"batch_size": 128}}, None),
        ({"model": {"normalization": "batch"}, "training": {"batch_size": 129}}, LARGE_BATCHES),
        ({"model": {"normalization": "batch"}, "training": {"batch_size": "full"}}, LARGE_BATCHES),
        ({"federation": {"strategy": "fedprox"}}, None),
        ({"federation": {"strategy": "moon"}}, "federation.strategy moon"),
    ],
)
def test_the_scenario_says_which_engine_trains(parts: dict[str, Any], beyond: str | None) -> None:
    chosen = scenario(**parts)
    deciding = (chosen.model, chosen.training, chosen.federation.strategy)
    assert uncovered(*deciding) == beyond
    assert trainer_for(*deciding, built=True) == ("torch" if beyond else "compiled")
    assert trainer_for(*deciding, built=False) == "torch"


def sanitized(folder: Path) -> tuple[Path, dict[str, str]]:
    """The trainer built to notice every step outside memory and language, and the environment it needs."""
    made = folder / "kernel.so"
    flags = ["-std=gnu11", "-O1", "-g", "-ffp-contract=off", "-fPIC", "-shared", "-fno-sanitize-recover=all"]
    sources = sorted(map(str, KERNEL.glob("*.c")))
    done = subprocess.run(["cc", *flags, "-fsanitize=address,undefined", "-o", made, *sources], check=False)
    found = subprocess.run(["cc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    runtime = Path(found.stdout.strip())
    if done.returncode or not runtime.is_absolute():
        pytest.skip("the compiler here has no sanitizers")
    return made, {**os.environ, "LD_PRELOAD": str(runtime), "ASAN_OPTIONS": "detect_leaks=0"}


@pytest.mark.slow
@pytest.mark.skipif(COMPILER is None, reason="no C compiler")
def test_it_stays_within_its_memory_whatever_the_shapes(tmp_path: Path) -> None:
    made, environment = sanitized(tmp_path)
    many = [sys.executable, "-m", "tests.clients.odd_work", made, "500"]
    done = subprocess.run(many, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:3000]
    # And the sanitizer would notice: here the data ends a row early.
    short = (
        "import sys; from clients.compiled.library import Library; from tests.clients.odd_work import odd_work\n"
        "work = odd_work(4); work['x'] = work['x'][: work['rows'].max()].copy(); Library(sys.argv[1]).train(work)"
    )
    done = subprocess.run(
        [sys.executable, "-c", short, made],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
