"""Folders of examples, one for each class, perhaps below folders for training, validation and test."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import InputError

_SPLITS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
"""What folders with these names hold."""


@dataclass
class FolderExamples:
    """The files of each split, and what the user should know of how they were found."""

    splits: dict[str, list[Path]]
    hints: list[str]

    @property
    def all(self) -> list[Path]:
        """Those to train on, then those to validate and to test on."""
        return [file for name in ("train", "validation", "test") for file in self.splits.get(name, [])]

    def count(self, split: str) -> int:
        """How many files a split has."""
        return len(self.splits.get(split, []))


def find_examples(folder: Path, suffixes: Collection[str], what: str) -> FolderExamples:
    """The files with these suffixes below a folder, by split and class.

    Raises InputError where there is none to train on; `what` is what the files hold.
    """
    left_out = SkippedFiles()
    splits = {name: class_files(home, suffixes, left_out) for name, home in split_folders(folder).items()}
    if not splits["train"]:
        raise InputError(f"expected folders of {what}, one for each class; {folder} has none", "data.source.path")
    classes = {name: {file.parent.name for file in files} for name, files in splits.items() if files}
    hints = left_out.hints(folder)
    for name in sorted(set.union(*classes.values())):
        there = [split for split in classes if name in classes[split]]
        if len(there) < len(classes):
            hints.append(f"{folder}: the class {name} is in {' and '.join(there)} only")
    return FolderExamples(splits, hints)


def split_folders(folder: Path) -> dict[str, Path]:
    """The folder of each split: train, validation and test where there are such folders, else `folder` to train on.

    Raises InputError where two folders hold the same split.
    """
    inside = {entry.name: entry for entry in _visible(folder) if entry.is_dir()}
    if "train" not in inside or not inside.keys() <= _SPLITS.keys():
        return {"train": folder}
    found: dict[str, Path] = {}
    for name, home in sorted(inside.items()):
        split = _SPLITS[name]
        if split in found:
            raise InputError(f"{home} and {found[split]} are both for {split}; keep one", "data.source.path")
        found[split] = home
    return found


@dataclass
class SkippedFiles:
    """What is in a folder and is not used."""

    names: dict[str, list[str]] = field(default_factory=dict)
    """By what it is."""

    def add(self, what: str, name: str) -> None:
        """Note something."""
        self.names.setdefault(what, []).append(name)

    def hints(self, folder: Path) -> list[str]:
        """A sentence for each kind of thing."""
        return [
            f"{folder}: {len(names)} {what} left out, such as {names[0]}" for what, names in sorted(self.names.items())
        ]


def class_files(folder: Path, suffixes: Collection[str], left_out: SkippedFiles) -> list[Path]:
    """The files with these suffixes in the folders of `folder`, one folder for each class, sorted by name.

    Hidden entries are passed over; whatever else is not taken is noted in `left_out`.
    """
    found: list[Path] = []
    for entry in _visible(folder):
        if not entry.is_dir():
            left_out.add("files outside the classes' folders", entry.name)
            continue
        own = 0
        for file in _visible(entry):
            if file.is_dir():
                for below in sorted(file.rglob("*")):
                    if below.suffix.lower() in suffixes:
                        left_out.add("files in folders below a class's", str(below.relative_to(folder)))
            elif file.suffix.lower() in suffixes:
                found.append(file)
                own += 1
            else:
                left_out.add("files of other kinds", f"{entry.name}/{file.name}")
        if not own:
            left_out.add("folders without an example", entry.name)
    return found


def _visible(folder: Path) -> Iterator[Path]:
    """What is in a folder, sorted by name, without what programs leave there: .DS_Store, ._x.png, __MACOSX."""
    for entry in sorted(folder.iterdir()):
        if not entry.name.startswith((".", "__MACOSX")):
            yield entry
