"""How well documents are told and made: bits per token beside counted n-grams, and tunes that can be read.

    hothouse run scenarios/play.yaml --set data.source.path=FILE --seed 1 --out play
    python benchmarks/documents.py bits play …

    hothouse run scenarios/tunes.yaml --set data.source.path=FILE --seed 1 --out tunes
    python benchmarks/documents.py tunes tunes …

Bits per token of each run's test documents, beside those of interpolated Kneser-Ney n-grams (Chen and Goodman 1999,
section 3.4, one discount for each order, estimated as n₁ / (n₁ + 2 n₂)) that were counted on the documents of all
clients of the first run. Of tunes, the share of 200 that music21 and that Hothouse's own reader read, and the share of
full bars, beside those of the training documents. Ends of documents are tokens as any other.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import hothouse
from common.data import Prepared, prepare
from common.data.documents import document_texts
from common.data.tokens import END, tokenize
from common.models.token_generator import TokenGenerator
from hothouse.music.abc import AbcError, read_tune
from hothouse.music.bars import full_bars

MADE, LENGTH = 200, 1500


def main() -> None:
    """A line for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["bits", "tunes"])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--temperature", type=float, default=1.0, help="of tunes")
    parser.add_argument("--top-p", type=float, default=1.0, help="of tunes")
    chosen = parser.parse_args()
    if chosen.what == "bits":
        bits(chosen.runs)
    else:
        tunes(chosen.runs, chosen.temperature, chosen.top_p)


def bits(runs: list[Path]) -> None:
    """Bits per token of n-grams, and of each run."""
    first = hothouse.load(runs[0])
    model = _generator(first)
    training, test = _documents(prepare(first.scenario), model)
    print("| model | bits per token |\n|---|--:|")
    for order in (3, 4, 5):
        print(
            f"| Kneser-Ney, n = {order} | {KneserNey(order, len(model.tokens), training).bits(test):.3f} |", flush=True
        )
    for folder in runs:
        run = hothouse.load(folder)
        print(f"| {folder.name} | {run.metrics.test_bits_per_token.iloc[-1]:.3f} |", flush=True)


def _documents(prepared: Prepared, model: TokenGenerator) -> tuple[list[list[str]], list[list[str]]]:
    """Training and test documents as tokens, each with its end."""
    own = [text for client in prepared.clients for text in document_texts(prepared, prepared.training_examples(client))]
    known = set(model.tokens)
    return tuple(  # type: ignore[return-value]
        [[token if token in known else "?unknown" for token in (*tokenize(text, model.unit), END)] for text in texts]
        for texts in (own, document_texts(prepared, prepared.test))
    )


class KneserNey:
    """p(token | the n − 1 tokens before it), interpolated down to the uniform distribution."""

    def __init__(self, order: int, tokens: int, documents: Iterable[Sequence[str]]) -> None:
        self._order, self._tokens = order, tokens
        counts: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(order)]
        for document in documents:
            padded = ["<"] * (order - 1) + list(document)
            counts[-1].update(tuple(padded[at : at + order]) for at in range(len(document)))
        # Of shorter runs it counts in how many ways they are continued to the left.
        for shorter in range(order - 2, -1, -1):
            counts[shorter].update(run[1:] for run in counts[shorter + 1])
        self._counts = counts
        self._totals, self._kinds = [], []
        for own in counts:
            totals: dict[tuple[str, ...], int] = defaultdict(int)
            kinds: dict[tuple[str, ...], int] = defaultdict(int)
            for run, count in own.items():
                totals[run[:-1]] += count
                kinds[run[:-1]] += 1
            self._totals.append(totals)
            self._kinds.append(kinds)
        self._discounts = []
        for own in counts:
            once, twice = (sum(count == times for count in own.values()) for times in (1, 2))
            self._discounts.append(once / (once + 2 * twice) if once else 0.5)

    def p(self, run: tuple[str, ...]) -> float:
        """Of the last of n tokens behind the others."""
        level = len(run) - 1
        if level < 0:
            return 1 / (self._tokens + 1)
        before, shorter = run[:-1], self.p(run[1:])
        total = self._totals[level].get(before, 0)
        if not total:
            return shorter
        discount = self._discounts[level]
        own = max(self._counts[level].get(run, 0) - discount, 0.0)
        return (own + discount * self._kinds[level][before] * shorter) / total

    def bits(self, documents: Iterable[Sequence[str]]) -> float:
        """The mean of −log₂ p."""
        total, tokens = 0.0, 0
        for document in documents:
            padded = ["<"] * (self._order - 1) + list(document)
            for at in range(len(document)):
                total -= math.log2(self.p(tuple(padded[at : at + self._order])))
            tokens += len(document)
        return total / tokens


def tunes(runs: list[Path], temperature: float, top_p: float) -> None:
    """Shares of each run's tunes that are read, and of their bars that are full."""
    from music21 import converter

    print("| run | read by music21 | read here | full bars | of the training tunes |\n|---|--:|--:|--:|--:|")
    for folder in runs:
        run = hothouse.load(folder)
        model, prepared = _generator(run), prepare(run.scenario)
        made = model.generate("X:", LENGTH, temperature=temperature, top_p=top_p, count=MADE, seed=1)
        read = 0
        for text in made:
            try:
                read += bool(converter.parse(text, format="abc").flatten().notes)
            except Exception:  # whatever another reader raises
                continue
        own = [
            text for client in prepared.clients for text in document_texts(prepared, prepared.training_examples(client))
        ]
        (here, full), (_, trained) = _bars(made), _bars(own)
        print(f"| {folder.name} | {read / MADE:.3f} | {here:.3f} | {full:.3f} | {trained:.3f} |", flush=True)


def _bars(texts: Sequence[str]) -> tuple[float, float]:
    """The share of texts that are tunes, and of all their bars that are full."""
    read = full = counted = 0
    for text in texts:
        try:
            own, count = full_bars(read_tune(text.strip("\n")))
        except AbcError:
            continue
        read, full, counted = read + 1, full + own, counted + count
    return read / len(texts), full / max(1, counted)


def _generator(run: hothouse.Run) -> TokenGenerator:
    if not isinstance(run.model, TokenGenerator):
        sys.exit(f"{run.folder}: expected a run of a model of documents")
    return run.model


if __name__ == "__main__":
    main()
