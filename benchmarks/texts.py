"""What augmenting texts costs: processor milliseconds for each 1,000 texts, step by step, and for a whole round.

    python benchmarks/texts.py FILE [--turns 5]

FILE has a line for each text, its label first, with a tab between, such as the SMS Spam Collection. A step is taken on
every text (probability 1, its other settings as they are by default; synonyms of the ten most frequent words). A text
that a step has changed gets its features anew; those of the others are kept. Processor time is counted and the least of
the turns taken: what is above it is the machine's doing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from common import seeds
from common.data.data_spec import TermRule, Vocabulary
from common.data.sources import text
from common.data.sources.text import TextSource
from common.data.text import Featurizer, agreed_vocabulary, document_frequencies
from common.draws import TextRandom
from common.errors import InputError
from common.scenario.augmentation import AUGMENTATIONS, TextAugmentation

WIDTH = 2000
RULES = {
    "words": TermRule((1, 1), lowercase=True),
    "words and pairs": TermRule((1, 2), lowercase=True),
    "2 to 4 characters": TermRule((2, 4), lowercase=True, unit="characters"),
}


def main() -> None:
    """Time the steps and the features on the file's texts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    lines = text.read(TextSource(path=str(options.file)), 0).texts
    words = Counter(word for line in lines for word in line.lower().split() if word.isalpha())
    console = Console(highlight=False)
    console.print(
        f"{len(lines)} texts of {np.mean([len(line) for line in lines]):.0f} characters "
        f"and {np.mean([len(line.split()) for line in lines]):.0f} words on average"
    )
    table = Table(title="Milliseconds of a processor for each 1,000 texts")
    table.add_column("what")
    table.add_column("ms", justify="right")

    def row(what: str, work: Callable[[], object]) -> None:
        table.add_row(what, f"{_least(work, options.turns) / len(lines) * 1e6:.1f}")

    keys = seeds.streams(1, "augmentation", 1, np.arange(len(lines))).tolist()
    for kind, part in AUGMENTATIONS.parts.items():
        if not issubclass(part, TextAugmentation):
            continue
        own = {"words": {word: ("other",) for word, _ in words.most_common(10)}} if kind == "synonyms" else {}
        change = part(**own).change
        row(kind, lambda change=change: [change(a, TextRandom(b)) for a, b in zip(lines, keys, strict=True)])
    for name, rule in RULES.items():
        terms = agreed_vocabulary("tfidf", WIDTH, rule, document_frequencies(lines, rule), len(lines), 2)
        for vocabulary in (terms, Vocabulary("hashed", WIDTH, rule)):
            features = Featurizer(vocabulary)
            row(f"features anew: {vocabulary.features}, {name}", lambda features=features: features.features(lines))
    console.print(table)


def _least(work: Callable[[], object], turns: int) -> float:
    """The processor seconds that the work takes at least."""
    times = []
    for _ in range(turns):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(str(error))
