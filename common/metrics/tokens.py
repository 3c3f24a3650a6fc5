"""How well the next token of documents is told: bits, perplexity, accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from common.metric_terms import Examples, Numbers, Sums, Term
from common.scenario.metrics import MetricPart


class BitsPerTokenMetric(MetricPart, name="bits_per_token", tasks=("generation",)):
    """The mean of −log₂ p of the next token; an unknown one costs log₂ of what it may stand for too."""

    needs: ClassVar[str] = "tokens"
    of_some: ClassVar[bool] = True

    def terms(self, examples: Examples) -> Mapping[str, Term]:
        """Tokens, the loss in nats, and the bits of unknown tokens beyond it."""
        names = ("loss", "tokens", "unknown_bits")
        return {name: examples.loss[name] for name in names if name in examples.loss}

    def finish(self, sums: Sums) -> Numbers:
        """All bits, for each token."""
        return np.asarray(_bits(sums) / sums["tokens"])


class PerplexityMetric(MetricPart, name="perplexity", tasks=("generation",)):
    """2 to the power of the bits per token."""

    needs: ClassVar[str] = "tokens"
    of_some: ClassVar[bool] = True

    def finish(self, sums: Sums) -> Numbers:
        """From all bits."""
        with np.errstate(over="ignore"):
            return np.asarray(np.exp2(_bits(sums) / sums["tokens"]))


class BitsPerCharacterMetric(MetricPart, name="bits_per_character", tasks=("generation",)):
    """The bits of all tokens for each character of theirs, for words."""

    needs: ClassVar[str] = "characters"
    of_some: ClassVar[bool] = True

    def terms(self, examples: Examples) -> Mapping[str, Term]:
        """The tokens' characters, where they are words."""
        return {"characters": examples.loss["characters"]} if "characters" in examples.loss else {}

    def finish(self, sums: Sums) -> Numbers:
        """All bits, for each character."""
        return np.asarray(_bits(sums) / sums["characters"])


class TokenAccuracyMetric(MetricPart, name="token_accuracy", tasks=("generation",), more_is_better=True):
    """The share of tokens that the network finds most likely."""

    needs: ClassVar[str] = "token_accuracy"
    of_some: ClassVar[bool] = True

    def terms(self, examples: Examples) -> Mapping[str, Term]:
        """1 for a token that is found most likely, where the network says so."""
        return {self.needs: examples.loss[self.needs]} if self.needs in examples.loss else {}

    def finish(self, sums: Sums) -> Numbers:
        """Their share."""
        return np.asarray(sums[self.needs] / sums["examples"])


def _bits(sums: Sums) -> Numbers:
    bits: Numbers = sums["loss"] / math.log(2) + sums["unknown_bits"]
    return bits
