"""What a model of documents makes: samples while it is trained and, in the end, how it reads and what it gives back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data import Prepared
from common.data.documents import document_texts
from common.data.tokens import join_tokens, tokenize
from common.models.token_generator import TokenGenerator
from common.wording import short

_PROMPT = {"characters": 20, "bytes": 20, "words": 4}
"""How many of a held-out document's tokens a sample begins with."""
_LENGTH = {"characters": 600, "bytes": 600, "words": 150}
_WAYS = ((1.0, 1.0), (0.6, 0.8))
"""Temperature and top-p of each sample."""
_LINE = {"characters": 160, "bytes": 160, "words": 50}
_COMPARED = 20
"""How many samples are looked for in the clients' documents."""
_RUN = 50
_MOST = 20_000_000
"""Beyond so many tokens the clients' documents are not looked through."""
_BASE = 0x9E3779B97F4A7C15

Found = dict[str, Any]


def prompt_of(prepared: Prepared, unit: str) -> str:
    """How the first document that is held out begins; empty where none is."""
    for text in document_texts(prepared, _held_out(prepared)[1]):
        return join_tokens(tokenize(text, unit)[: _PROMPT[unit]], unit)
    return ""


def sample_texts(model: TokenGenerator, prompt: str, seed: int) -> Found:
    """Samples as samples.jsonl has them: `prompt`, and `texts` that begin with it, by `temperatures` and `top_p`."""
    length = _LENGTH[model.unit]
    texts = [model.generate(prompt, length, heat, top_p=most, seed=seed)[0] for heat, most in _WAYS]
    temperatures, top_p = zip(*_WAYS, strict=True)
    return {"prompt": prompt, "texts": texts, "temperatures": temperatures, "top_p": top_p}


def documents_made(model: TokenGenerator, prepared: Prepared, seed: int) -> Found:
    """What generated.json holds of a model of documents.

    `texts` begin with `prompt`, and are drawn by `temperatures` and `top_p`. `split` names the held-out documents, if
    there are any: `line` has the beginning of one, its `tokens` with the `bits` of each and the `likely` one that the
    model would have bet on. `given_back` says of all runs of 50 characters in `samples`, and in `held_out` documents,
    which share stands in some client's text.
    """
    found = sample_texts(model, prompt_of(prepared, model.unit), seed)
    split, positions = _held_out(prepared)
    if len(positions):
        text = next(document_texts(prepared, positions))
        beginning = join_tokens(tokenize(text, model.unit)[: _LINE[model.unit]], model.unit)
        score, likely = model.score(beginning), model.probabilities(beginning)[:, :-1].argmax(axis=1)
        line = {"tokens": list(score.tokens), "bits": short(score.bits)}
        found |= {"split": split, "line": line | {"likely": [model.tokens[code] for code in likely[:-1].tolist()]}}
    return found | _given_back(model, prepared, positions, seed)


def _held_out(prepared: Prepared) -> tuple[str, NDArray[np.int64]]:
    split = "test" if len(prepared.test) else "validation"
    return split, np.array(getattr(prepared, split))


def _given_back(model: TokenGenerator, prepared: Prepared, held_out: NDArray[np.int64], seed: int) -> Found:
    """How much of samples stands in the clients' documents, where these are here."""
    if not len(prepared.clients) or int(prepared.training_sizes.sum()) > _MOST:
        return {}
    made = model.generate("", _LENGTH[model.unit], count=_COMPARED, seed=seed + 1)
    seen = [
        _runs(text)
        for client in prepared.clients.tolist()
        for text in document_texts(prepared, prepared.training_examples(client))
    ]
    known = np.unique(np.concatenate(seen))
    told = {"characters": _RUN, "samples": _share(made, known)}
    if len(held_out):
        size = _COMPARED * _LENGTH[model.unit]
        told["held_out"] = _share(list(document_texts(prepared, held_out[:size])), known)
    return {"given_back": told}


def _share(texts: list[str], known: NDArray[np.uint64]) -> float | None:
    """The share of the runs in texts that are known; None where all are shorter than a run."""
    runs = np.concatenate([_runs(text) for text in texts])
    return float(np.isin(runs, known).mean()) if len(runs) else None


def _runs(text: str) -> NDArray[np.uint64]:
    """A hash of each run of `_RUN` characters of a text: its polynomial modulo 2⁶⁴, put together from halves."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4").astype(np.uint64) + np.uint64(1)
    if len(codes) < _RUN:
        return np.empty(0, np.uint64)
    hashed, length, power = codes, 1, _BASE
    for bit in bin(_RUN)[3:]:
        hashed = hashed[:-length] * np.uint64(power) + hashed[length:]
        length, power = 2 * length, power * power % 2**64
        if bit == "1":
            hashed = hashed[:-1] * np.uint64(_BASE) + codes[length : length + len(hashed) - 1]
            length, power = length + 1, power * _BASE % 2**64
    return hashed
