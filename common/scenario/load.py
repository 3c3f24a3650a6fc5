"""From a YAML file and overrides to a Scenario, or to one message that lists every mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from common.errors import InputError
from common.scenario.base import FromHere
from common.scenario.document import Document, Place, parse_document, read_document
from common.scenario.mistakes import describe
from common.scenario.scenario import Scenario


def load_scenario(source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Scenario:
    """The scenario in a YAML file (or in a mapping of the same form), changed by `KEY=VALUE` overrides.

    KEY is dotted (`training.optimizer.lr`), VALUE is YAML. Paths in a file are relative to its folder, paths
    in a mapping or an override to the current one.

    Raises InputError: one message with a line for each mistake.
    """
    if isinstance(source, Mapping):
        document, folder = Document("scenario", _copied(source)), Path.cwd()
    else:
        document, folder = read_document(Path(source)), Path(source).absolute().parent
    if document.values is None:
        document.values = {}
    if not isinstance(document.values, dict):
        raise InputError(f"{document.name}: expected keys and values, such as `data:`; see scenarios/quickstart.yaml")
    options = {}
    for override in overrides:
        place = _override(document, override)
        options[place] = f"--set {override}"
    try:
        return Scenario.model_validate(document.values, context={"folder": folder})
    except ValidationError as error:
        raise InputError("\n".join(describe(error, document, options))) from None
    except RecursionError:
        raise InputError(f"{document.name}: nested too deeply") from None


def dump_scenario(scenario: Scenario) -> str:
    """The scenario as YAML with every default filled in and every path absolute; reading it gives it back."""
    return yaml.safe_dump(scenario.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True)


def _override(document: Document, override: str) -> Place:
    """Put the value of `a.b=value` into the document; returns the place it went to."""
    name, equals, text = override.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise InputError(f"--set {override}: expected KEY=VALUE, such as --set federation.rounds=5")
    value = _here(parse_document(text, f"--set {name}").values)
    target: Any = document.values
    place: Place = ()
    for depth, part in enumerate(keys):
        last = depth == len(keys) - 1
        if isinstance(target, list):
            if not part.isdigit() or int(part) >= len(target):
                around = ".".join(map(str, place))
                raise InputError(f"--set {override}: {around} is a list of {len(target)}, counted from 0")
            at: str | int = int(part)
        elif isinstance(target, dict):
            at = part
        else:
            raise InputError(f"--set {override}: {'.'.join(map(str, place))} holds a value, not further keys")
        place = (*place, at)
        if last:
            target[at] = value
        else:
            if isinstance(target, dict) and not isinstance(target.get(at), dict | list):
                # A bare name such as `strategy: fedavg` gives way to the keys that are set below it.
                target[at] = {} if target.get(at) is None else _spelled_out(at, target[at])
            target = target[at]
    return place


def _spelled_out(at: str | int, value: Any) -> Any:
    tag = {"source": "kind", "partition": "scheme", "optimizer": "name", "strategy": "name"}.get(str(at))
    return {tag: value} if tag and isinstance(value, str) else value


def _here(value: Any) -> Any:
    if isinstance(value, str):
        return FromHere(value)
    if isinstance(value, dict):
        return {key: _here(item) for key, item in value.items()}
    return [_here(item) for item in value] if isinstance(value, list) else value


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list | tuple) else value
