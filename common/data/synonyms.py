"""The user's tables of synonyms, read once and carried in the scenario from then on: clients need no file."""

from __future__ import annotations

from common.augmentation.synonyms import Synonyms, lookup_form
from common.data.sources.files import existing_file, lines_of
from common.errors import InputError
from common.scenario import Scenario
from common.scenario.augmentation import Augmentation


def with_synonyms(scenario: Scenario) -> Scenario:
    """The scenario with the words of each table of synonyms in place of its file.

    Raises InputError where a file is missing, or names its line where it is not such a table.
    """
    if not any(isinstance(spec, Synonyms) and spec.path for spec in scenario.training.augmentation):
        return scenario
    augmentation = tuple(_read(spec, place) for place, spec in enumerate(scenario.training.augmentation))
    training = scenario.training.model_copy(update={"augmentation": augmentation})
    return scenario.model_copy(update={"training": training})


def _read(spec: Augmentation, place: int) -> Augmentation:
    if not isinstance(spec, Synonyms) or spec.path is None:
        return spec
    path = existing_file(spec.path, f"training.augmentation.{place}.path")
    words: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines_of(path), start=1):
        word, *synonyms = (part.strip() for part in line.split(","))
        if not word and not synonyms:
            continue
        if not word or not synonyms or not all(synonyms):
            raise InputError(f"{path}:{number}: expected a word and its synonyms with commas between: buy, get, order")
        if lookup_form(word) in words:
            raise InputError(f"{path}:{number}: {word!r} was there before; put all its synonyms on one line")
        words[lookup_form(word)] = tuple(synonyms)
    if not words:
        raise InputError(f"{path}: no words in it")
    return spec.model_copy(update={"path": None, "words": words})
