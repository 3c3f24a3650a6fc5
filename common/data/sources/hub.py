"""Data sets of the Hugging Face hub, or in its format on this machine: images, texts, tables of numbers."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator

from common.data.labels import encode, encode_names
from common.data.sources.files import digest
from common.data.sources.pictures import Pictures
from common.data.table import Column, Table
from common.errors import InputError
from common.scenario.base import folder_or_name, key
from common.scenario.sources import SourcePart, TaskChoice


class HubSource(SourcePart, name="hub", runs="common.data.sources.hub"):
    """A data set of the Hugging Face hub, or one in its format on this machine; offline after the first time."""

    name: Annotated[str, BeforeValidator(folder_or_name)] = key(
        "Its name on the hub, or a folder: files as on the hub, or what save_to_disk wrote.", min_length=1
    )
    config: str | None = key("Its configuration, where it has several.", None)
    train: str = key("The split to train on.", "train")
    test: str | None = key("The split to test on; left out where the data set has no such split.", "test")
    target: str = key("The column to predict.", "label")
    features: tuple[str, ...] | None = key(
        "The columns to learn from: one of images or texts, or several of numbers; all others if left out.",
        None,
        strict=False,
    )
    client: str | None = key("The column that names each row's natural client; it is no feature.", None)
    task: TaskChoice = key(
        "auto takes class labels, texts and whole numbers for labels, other numbers for targets.", "auto"
    )


seeded = False


def fingerprint(spec: HubSource) -> str:
    """The data set's name (and content, where it is a folder here): the hub's own cache keeps what was fetched."""
    path = Path(spec.name).expanduser()
    if path.is_dir():
        return digest(sorted(file for file in path.rglob("*") if file.is_file()))
    return f"{spec.name} {spec.config}"


def read(spec: HubSource, seed: int) -> Table:
    """Both splits, the test examples last."""
    splits = _splits(spec)
    train = _split(splits, spec, "train")
    # Only a split that the scenario names must be there.
    has_test = spec.test in splits or "test" in spec.model_fields_set
    test = _split(splits, spec, "test") if spec.test and has_test else None
    parts = [train] if test is None else [train, test]
    asked: dict[str, tuple[str | None, ...]] = {
        "target": (spec.target,),
        "features": spec.features or (),
        "client": (spec.client,),
    }
    for option, wanted in asked.items():
        for name in wanted:
            if name is not None and name not in train.column_names:
                known = ", ".join(train.column_names)
                raise InputError(f"{spec.name} has no column {name!r}; it has {known}", f"data.source.{option}")
    apart = (spec.target, spec.client)
    features = list(spec.features or [name for name in train.column_names if name not in apart])
    answers = np.concatenate([np.asarray(part[spec.target][:]) for part in parts])
    y, labels = _targets(answers, train.features[spec.target], spec)
    table = _rows(parts, features, train.features, spec)
    table.y, table.labels, table.task = y, labels, "classification" if labels else "regression"
    table.tests = 0 if test is None else len(test)
    if spec.client is not None:
        table.groups, table.group_names = encode_names(train[spec.client][:])
    return table


def _splits(spec: HubSource) -> dict[str, Any]:
    """All splits of the data set. Raises InputError where it cannot be had."""
    from datasets import disable_progress_bars, load_dataset, load_from_disk
    from datasets.exceptions import DatasetNotFoundError

    disable_progress_bars()
    path = Path(spec.name).expanduser()
    try:
        if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
            # What save_to_disk wrote: one split, or a folder for each.
            saved = load_from_disk(str(path))
            return {"train": saved} if (path / "state.json").is_file() else dict(saved)
        return dict(load_dataset(str(path) if path.exists() else spec.name, spec.config))
    except (DatasetNotFoundError, FileNotFoundError, ConnectionError, OSError, ValueError) as error:
        raise InputError(f"{spec.name} cannot be loaded: {' '.join(str(error).split())}", "data.source.name") from None


def _split(splits: dict[str, Any], spec: HubSource, key: str) -> Any:
    """The split that the source's `key` names. Raises InputError where there is none of that name."""
    name = getattr(spec, key)
    if name in splits:
        return splits[name]
    near = get_close_matches(name, splits, 1)
    advice = f"did you mean {near[0]}?" if near else f"it has {', '.join(splits)}"
    raise InputError(f"{spec.name} has no split {name!r}; {advice}", f"data.source.{key}")


def _targets(answers: NDArray[Any], feature: Any, spec: HubSource) -> tuple[NDArray[Any], list[str | int]]:
    names = getattr(feature, "names", None)
    gaps = [row for row, answer in enumerate(answers) if answer is None]
    if names is not None and spec.task != "regression":
        # The hub writes −1 for a label that is kept secret.
        gaps += np.flatnonzero((answers < 0) | (answers >= len(names))).tolist()
        if not gaps:
            return answers.astype(np.int64), [str(name) for name in names]
    if gaps:
        raise InputError(
            f"row {gaps[0]} of {spec.target} has no label; {len(gaps)} rows have none (test: null leaves a split out)",
            "data.source.target",
        )
    counted = answers.dtype.kind in "iubUSO"
    if spec.task == "classification" or (spec.task == "auto" and counted):
        return encode(answers, spec.target, "data.source.target")
    if answers.dtype.kind not in "iubf":
        raise InputError(f"expected numbers for a regression, found {answers.dtype}", "data.source.target")
    return answers.reshape(len(answers), -1), []


def _rows(parts: list[Any], names: list[str], features: Any, spec: HubSource) -> Table:
    """The rows' features: one column of images, one of texts, or numbers."""
    nothing = np.empty(0, np.int64)
    kinds = {name: type(features[name]).__name__ for name in names}
    if len(names) == 1 and kinds[names[0]] == "Image":
        x, hints = _pictures(parts, names[0])
        return Table(x.reshape(len(x), -1), nothing, "classification", row_shape=x.shape[1:], hints=hints)
    if len(names) == 1 and getattr(features[names[0]], "dtype", "") in ("string", "large_string"):
        given = [text for part in parts for text in part[names[0]]]
        gaps = sum(text is None for text in given)
        hints = [f"{names[0]}: {gaps} texts are missing and are read as empty ones"] if gaps else []
        texts = ["" if text is None else str(text) for text in given]
        return Table(np.zeros((len(texts), 0)), nothing, "classification", texts=texts, hints=hints)
    columns, arrays = [], []
    for name in names:
        given = [value for part in parts for value in part[name]]
        known = [value for value in given if value is not None]
        labels = getattr(features[name], "names", None)
        if labels is not None:
            # The hub's class labels are numbers of names; −1 is one that is not known.
            given = [None if value is None or value < 0 else labels[value] for value in given]
            known = [value for value in given if value is not None]
        if known and all(isinstance(value, str) for value in known):
            categories = sorted(set(known))
            places = {category: float(code) for code, category in enumerate(categories)}
            columns.append(Column(name, tuple(categories)))
            arrays.append(np.array([[np.nan if value is None else places[value]] for value in given]))
            continue
        width = len(np.ravel(known[0])) if known else 1
        try:
            gap = np.full(width, np.nan)
            values = np.array([gap if value is None else np.ravel(value) for value in given], dtype=np.float64)
        except (ValueError, TypeError):
            raise InputError(f"{name}: neither numbers nor texts; name the features", "data.source.features") from None
        columns += [Column(name if width == 1 else f"{name}_{n}") for n in range(width)]
        arrays.append(values)
    x = np.concatenate(arrays, axis=1)
    return Table(x, nothing, "classification", row_shape=(x.shape[1],), columns=columns, tabular=True)


def _pictures(parts: list[Any], name: str) -> tuple[NDArray[np.uint8], list[str]]:
    """The pictures in a column as bytes: grey where all of them are, (rows, height, width), else with three colours."""
    from datasets import Image

    reader, found = Pictures(), []
    for part in parts:
        # Undecoded: the library's own decoder starts other programs for some formats, and knows no orientation.
        for row, entry in enumerate(part.select_columns([name]).cast_column(name, Image(decode=False))[name]):
            where = f"row {row} of {name}"
            if entry is None:
                raise InputError(f"{where}: the picture is missing", "data.source.features")
            found.append(reader.read(entry["bytes"] or Path(entry["path"]), where))
    if len({picture.ndim for picture in found}) > 1:
        found = [picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2) for picture in found]
    if len({picture.shape for picture in found}) != 1:
        raise InputError(f"expected images of one size in {name}", "data.source.features")
    return np.stack(found), reader.hints(name)
