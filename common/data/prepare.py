"""From a scenario's `data:` to a folder of prepared data, made once and cached by content and settings."""

from __future__ import annotations

import itertools
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common import seeds
from common.data.augmentable import check_augmentation
from common.data.cache import make_once
from common.data.documents import documents_of, token_positions, token_shards
from common.data.images import image_shape
from common.data.normalize import normalize_table
from common.data.partitions import Cut
from common.data.partitions.natural import client_names
from common.data.prepared import META, Filling, Indices, Meta, Prepared, Scaling, Shards, TextForm, write_shards
from common.data.skews import SkewRule
from common.data.skews.owned import ClientExamples
from common.data.sources import SourceModule
from common.data.table import Column, Table, Texts, load_table, save_table, save_texts
from common.data.tokens import SequenceForm
from common.errors import InputError
from common.metrics import MeasuredMetrics
from common.scenario import Scenario
from common.scenario.base import Part
from common.scenario.data import Data
from common.scenario.model import MODELS, MOST_WEIGHTS, MLPModel, ModelPart
from common.scenario.objective import check_objective, learned_task, output_kind
from common.scenario.partitions import clients_of
from common.scenario.registry import implementation

_FORMAT = 11


def prepare(scenario: Scenario) -> Prepared:
    """The scenario's data, from the cache where the same was prepared before.

    Raises InputError where the source cannot be read, where the scenario's cut of it is impossible and where its
    augmentation, output or loss is for other data.
    """
    data = scenario.data
    source: SourceModule = implementation(data.source)
    seed = scenario.seed if source.seeded else None
    fingerprint = source.fingerprint(data.source)
    content = (
        f"{_FORMAT} {data.source.model_dump(exclude={'path'})} {fingerprint} {seed}{_used_by(scenario, data.source)}"
    )
    rows = make_once("rows", content, lambda folder: _read(folder, data, scenario.seed))
    known_by = "" if source.seeded else blake2b(str(fingerprint).encode(), digest_size=8).hexdigest()
    used = _used_by(scenario, data.partition, *data.skew)
    cut = f"{content} {scenario.seed} {data.model_dump(exclude={'source'})}{used}"
    prepared = Prepared(make_once("shards", cut, lambda folder: _cut(folder, rows, data, scenario.seed, known_by)))
    check_fits(scenario, prepared)
    return prepared


def _used_by(scenario: Scenario, *parts: Part) -> str:
    """What the scenario uses, by its SHA-256, where one of the parts is a user's own: another file makes other data."""
    if all(part.is_built_in() for part in parts):
        return ""
    return f" {[(use.name, use.sha256) for use in scenario.uses]}"


def open_prepared(folder: Path, scenario: Scenario) -> Prepared:
    """Data that was prepared earlier, for this scenario.

    Raises InputError where the folder holds none or a damaged one, or where the scenario's augmentation, output or
    loss is for other data.
    """
    if not (folder / META).exists():
        raise InputError(f"{folder} holds no prepared data; `hothouse cut` makes such folders")
    prepared = Prepared(folder)
    prepared.check()
    check_fits(scenario, prepared)
    return prepared


def check_fits(scenario: Scenario, prepared: Prepared) -> None:
    """Raise InputError where the scenario's augmentation, output or loss is for other data."""
    _check_size(scenario.model, prepared)
    check_augmentation(scenario.training.augmentation, prepared.meta)
    _check_tokens(scenario.model, prepared)
    task = learned_task(scenario.model, prepared.meta.task)
    if task == "generation" and prepared.meta.text is not None:
        raise InputError(f"{scenario.model.name} makes images and rows of tables; these examples are texts", "model")
    check_objective(scenario.training.loss, output_kind(scenario.model, task), task, prepared.meta.labels)
    _check_metrics(scenario, prepared)


def _check_tokens(model: ModelPart, prepared: Prepared) -> None:
    """Raises InputError where only one of network and examples is for sequences of tokens."""
    if prepared.meta.sequence is None:
        if model.reads_tokens:
            raise InputError(f"{model.name} learns documents; expected data.source.kind: sequence", "model.name")
        return
    if not model.reads_tokens:
        reading = ", ".join(name for name, part in MODELS.parts.items() if part.reads_tokens)
        raise InputError(f"{model.name} learns no sequences of tokens; use {reading}", "model.name")


def _read(folder: Path, data: Data, seed: int) -> None:
    try:
        source: SourceModule = implementation(data.source)
        save_table(folder, normalize_table(source.read(data.source, seed)))
    except MemoryError:
        raise InputError("the data does not fit into this machine's memory", "data.source") from None


def _check_size(model: ModelPart, prepared: Prepared) -> None:
    """Raises InputError for a network that no memory holds, before any is taken."""
    if not isinstance(model, MLPModel):
        return
    text, columns = prepared.meta.text, prepared.meta.columns
    features = prepared.x.shape[1] if text is None else text.width
    features += sum(len(column.categories) - 1 for column in columns if column.categories is not None)
    widths = (features, *model.layers, len(prepared.meta.labels) or prepared.meta.targets)
    weights = sum(before * after for before, after in itertools.pairwise(widths))
    if weights > MOST_WEIGHTS:
        raise InputError(
            f"{'-'.join(map(str, widths))} are {weights:,} weights; expected at most {MOST_WEIGHTS:,}", "model.layers"
        )


def _check_metrics(scenario: Scenario, prepared: Prepared) -> None:
    """Raises InputError for metrics of another task, and where networks are to be judged by what is not measured."""
    strategy = scenario.federation.strategy
    task = learned_task(scenario.model, prepared.meta.task)
    measured = MeasuredMetrics(task, scenario.evaluation).pooled
    for place, metric in enumerate(scenario.evaluation.metrics):
        if metric.of_some and prepared.meta.sequence is None:
            told = f"{metric.name} measures documents (data.source.kind: sequence)"
            raise InputError(told, f"evaluation.metrics.{place}")
    if strategy.judged_by is not None and strategy.judged_by not in measured:
        raise InputError(
            f"{strategy.judged_by} is not measured in a {task}; use one of {', '.join(measured)}",
            "federation.strategy.score",
        )


def _cut(folder: Path, rows: Path, data: Data, seed: int, content: str) -> None:
    table = load_table(rows)
    table.row_shape = tuple(_row_shape(table, data))
    sequence = _sequence_form(table, data)
    # Documents are partitioned as a whole, and then their tokens are the examples.
    whole, what = (table, "examples") if sequence is None else (documents_of(table), "documents")
    training, test, validation = _split(whole, data, seed, what)
    cut: Cut = implementation(data.partition)
    shards = cut(data.partition, whole, training, seeds.key(seed, "partition") % 2**32)
    unused = len(training) - len(shards.positions)
    hints = list(table.hints)
    if unused:
        why = getattr(data.partition, "leaves_over", "")
        hints.append(f"data.partition: {unused} of {len(training)} training {what} go to no client{why and f': {why}'}")
    empty = int((shards.sizes == 0).sum())
    if empty:
        raise InputError(
            f"{empty} of {len(shards.sizes)} clients would get none of the {len(training)} training {what}; "
            "use fewer clients or a less skewed partition",
            "data.partition",
        )
    rows_folder, x = f"../../rows/{rows.name}", table.x
    if data.skew:
        x = _skew(folder, rows, table, shards, data, seed)
        rows_folder = "."
    ordered, held = _hold_out(shards, data.client_holdout, seed)
    if sequence is not None:
        ordered, held = token_shards(table, ordered, held)
        test, validation = (token_positions(table, documents) for documents in (test, validation))
    meta = Meta(
        task=table.task,
        labels=table.labels,
        row_shape=list(table.row_shape),
        targets=0 if table.task == "classification" else table.y.shape[1],
        columns=[replace(column, whole=_whole(column, x[:, at])) for at, column in enumerate(table.columns)],
        scaling=_scaling(table, data),
        filling=_filling(table, data),
        own_fill=data.missing_statistics == "client",
        indicators=data.missing == "indicator",
        text=_text_form(rows, data),
        sequence=sequence,
        rows_folder=rows_folder,
        clients=_names(whole, training, data),
        hints=hints,
        white=_white(table, x),
        content=content,
    )
    write_shards(folder, meta, np.arange(len(shards.sizes)), ordered, held, test, validation)


def _split(table: Table, data: Data, seed: int, what: str) -> tuple[Indices, Indices, Indices]:
    """The shuffled training examples, the test examples and the validation examples; `what` they are called."""
    first_test = len(table.y) - table.tests
    own = first_test - table.validations
    for name, rows in (("test", table.tests), ("validation", table.validations)):
        if rows and getattr(data, f"{name}_fraction"):
            raise InputError(
                f"the source has {rows} {name} examples of its own; leave this out", f"data.{name}_fraction"
            )
    # Rows that lie together are gathered faster.
    order = np.arange(own) if table.mixed else seeds.generator(seed, "split").permutation(own)
    tests = round(own * data.test_fraction)
    validations = round((own - tests) * data.validation_fraction)
    for name, rows in (("test", tests), ("validation", validations)):
        if getattr(data, f"{name}_fraction") and not rows:
            raise InputError(f"this fraction of {own} {what} rounds to zero; increase it", f"data.{name}_fraction")
    test = np.arange(first_test, len(table.y)) if table.tests else np.sort(order[:tests])
    validation = np.arange(own, first_test) if table.validations else np.sort(order[tests : tests + validations])
    training = order[tests + validations :]
    clients = clients_of(data.partition) or 1
    if len(training) < clients:
        raise InputError(f"{clients} clients, but only {len(training)} {what} to train on", "data.partition.clients")
    return training, test, validation


def _hold_out(shards: Shards, fraction: float, seed: int) -> tuple[Shards, Indices]:
    """Each client's examples, those it trains on first, both parts ascending; and how many it holds out.

    Which are held out is drawn; at least one example is trained on.
    """
    held = np.minimum(np.rint(shards.sizes * fraction).astype(np.int64), shards.sizes - 1)
    owners, starts = shards.owners(), shards.starts()
    if held.any():
        drawn = seeds.generator(seed, "holdout").permutation(len(shards.positions))
        order = np.lexsort((drawn, owners))
        rows = shards.positions[order]
        kept_back = np.arange(len(rows)) >= (starts[1:] - held)[owners]
    else:
        rows, kept_back = shards.positions, np.zeros(len(shards.positions), dtype=bool)
        if _ascending(rows, starts):
            return shards, held
    return Shards(rows[np.lexsort((rows, kept_back, owners))], shards.sizes), held


def _ascending(rows: Indices, starts: Indices) -> bool:
    """Whether each client's examples ascend."""
    up = np.diff(rows) > 0
    up[starts[1:-1] - 1] = True
    return bool(up.all())


def _skew(folder: Path, rows: Path, table: Table, shards: Shards, data: Data, seed: int) -> NDArray[Any]:
    """Write examples of the run's own, changed client by client; test and validation examples stay as they are."""
    x, y, starts = np.array(table.x), np.array(table.y), shards.starts()
    for number, skew in enumerate(data.skew):
        change: SkewRule = implementation(skew)
        for client in range(len(shards.sizes)):
            mine = shards.positions[starts[client] : starts[client + 1]]
            owned = ClientExamples(client, len(shards.sizes), seed, x[mine], y[mine], table)
            draw = seeds.generator(seed, "skew", number, client)
            x[mine], y[mine] = change(skew, owned, draw)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    if (rows / "text_ends.npy").exists():
        texts = Texts(rows)
        save_texts(folder, [texts[row] for row in range(len(texts))])
    return x


def _row_shape(table: Table, data: Data) -> list[int]:
    """The shape of a row, an image's where the scenario says so."""
    image, features = data.image, table.x.shape[1]
    if image is None:
        return list(table.row_shape)
    if table.texts is not None or image.height * image.width * image.channels != features:
        what = "texts" if table.texts is not None else f"{features} numbers a row"
        raise InputError(
            f"{image.height} × {image.width} × {image.channels} are {image.height * image.width * image.channels} "
            f"numbers, the data has {what}",
            "data.image",
        )
    return [image.height, image.width, *([image.channels] if image.channels > 1 else [])]


def _sequence_form(table: Table, data: Data) -> SequenceForm | None:
    """How documents become sequences of tokens. Raises InputError for settings that are for other examples."""
    if table.documents is None:
        return None
    for name in ("skew", "image"):
        if getattr(data, name):
            raise InputError("the examples are tokens of documents; leave this out", f"data.{name}")
    source: Any = data.source
    return SequenceForm(source.unit, source.vocabulary, source.min_count, tuple(source.headers))


def _scaling(table: Table, data: Data) -> Scaling:
    if table.documents is not None:
        return "none"
    if data.scale != "auto":
        return data.scale
    if table.tabular:
        return "standardize"
    return "bytes" if table.x.dtype == np.uint8 else "none"


def _filling(table: Table, data: Data) -> Filling:
    if table.documents is not None:
        return "none"
    chosen = ("mean" if table.tabular else "refuse") if data.missing == "auto" else data.missing
    if chosen == "refuse":
        if table.gap is not None:
            raise InputError(
                f"{table.place('x', *table.gap)}: a value is missing (NaN); mean, median or indicator takes its place",
                "data.missing",
            )
        return "none"
    return "median" if chosen == "median" else "mean"


def _white(table: Table, x: NDArray[Any]) -> float | None:
    """White in images of bytes is 255; in others it is the largest value in the rows `x`, but at least 1."""
    if image_shape(list(table.row_shape)) is None or table.texts is not None:
        return None
    if x.dtype == np.uint8:
        return 255.0
    # fmin and fmax pass over missing values.
    if np.fmin.reduce(x, axis=None) < 0:
        return None
    return max(1.0, float(np.fmax.reduce(x, axis=None)))


def _text_form(rows: Path, data: Data) -> TextForm | None:
    if not (rows / "text_ends.npy").exists():
        return None
    text = data.text
    return TextForm(text.features, text.width, text.ngrams, text.lowercase, text.min_texts, text.unit)


def _whole(column: Column, values: NDArray[Any]) -> bool:
    """Whether a column's numbers are whole, as far as there are any."""
    known = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    return column.categories is None and bool(len(known)) and bool((known == np.rint(known)).all())


def _names(table: Table, training: Indices, data: Data) -> list[str]:
    """The names of natural clients."""
    partition: Any = data.partition
    return client_names(table, training, partition.by, partition.min_rows) if partition.scheme == "natural" else []
