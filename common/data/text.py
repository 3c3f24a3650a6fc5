"""Texts as numbers: runs of words or of characters counted, by scikit-learn's vectorizers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.data.cache import make_once
from common.data.data_spec import TermRule, Vocabulary

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from common.data.prepared import Prepared


class Featurizer:
    """Turns texts into rows of numbers, as agreed."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def features(self, texts: Iterable[str]) -> csr_matrix:
        """The features of texts, (texts, width), float32.

        bag counts terms; tfidf multiplies the counts by the terms' weights and brings every row to length 1
        (scikit-learn's TfidfTransformer with its defaults); hashed counts in as many buckets as the width, each
        term with a sign of its own hash, and brings every row to length 1 (scikit-learn's HashingVectorizer).
        """
        counts = self._vectorizer.transform(texts).astype(np.float32)
        if self.vocabulary.features == "tfidf":
            from sklearn.preprocessing import normalize

            counts = normalize(counts.multiply(np.asarray(self.vocabulary.weights, dtype=np.float32)).tocsr())
        return counts

    def cached(self, prepared: Prepared) -> csr_matrix:
        """The features of all texts of a prepared folder, computed once for every process on the machine."""
        from scipy.sparse import csr_matrix

        key = f"{prepared.folder.resolve()} {prepared.key} {self.vocabulary}"
        folder = make_once("features", key, lambda folder: self._write(folder, prepared))
        parts = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("data", "indices", "indptr")]
        return csr_matrix(tuple(parts), shape=(len(prepared.texts), self.vocabulary.width), copy=False)

    def _write(self, folder: Path, prepared: Prepared) -> None:
        found = self.features(prepared.texts[row] for row in range(len(prepared.texts)))
        for name in ("data", "indices", "indptr"):
            np.save(folder / f"{name}.npy", getattr(found, name))

    @cached_property
    def _vectorizer(self) -> Any:
        from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

        options = self.vocabulary.rule.options
        if self.vocabulary.features == "hashed":
            return HashingVectorizer(n_features=self.vocabulary.width, **options)
        return CountVectorizer(vocabulary=list(self.vocabulary.terms), **options)


def document_frequencies(texts: Iterable[str], rule: TermRule) -> Counter[str]:
    """In how many of the texts each term occurs."""
    from sklearn.feature_extraction.text import CountVectorizer

    analyze = CountVectorizer(**rule.options).build_analyzer()
    found: Counter[str] = Counter()
    for text in texts:
        found.update(set(analyze(text)))
    return found


def agreed_vocabulary(
    features: str, width: int, rule: TermRule, frequencies: Counter[str], documents: int, least: int
) -> Vocabulary:
    """The `width` terms that occur in most documents, at least in `least`; among equals the first by name."""
    frequent = sorted(((-count, term) for term, count in frequencies.items() if count >= least))[:width]
    terms = tuple(sorted(term for _, term in frequent))
    weights: tuple[float, ...] = ()
    if features == "tfidf":
        # As in scikit-learn's TfidfTransformer: ln((1 + n) / (1 + df)) + 1.
        weights = tuple(float(np.log((1 + documents) / (1 + frequencies[term])) + 1) for term in terms)
    return Vocabulary(features, len(terms), rule, terms, weights)
