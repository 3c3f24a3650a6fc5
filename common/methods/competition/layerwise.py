"""Layer by layer: the winner's network, each layer exchanged where another's makes it score better."""

from __future__ import annotations

import numpy as np

from common.arrays import NamedArrays
from common.methods.competition.contest import CompetitionResult, Contest


def layerwise(contest: Contest) -> CompetitionResult:
    """From the winner on, first layer first: try every other network's layer in its place, all in one stack, and
    keep the best of the combinations if it scores better than the network so far. Greedy, so it never scores worse
    than the winner.
    """
    winner = int(contest.ranking[0])
    network, score = contest.model(winner), float(contest.scores[winner])
    layers = _layers(contest.models)
    givers = np.full(len(layers), winner)
    others = contest.ranking[contest.judged[contest.ranking]]
    for index, names in enumerate(layers):
        candidates = others[others != givers[index]]
        if not len(candidates):
            continue
        tried: NamedArrays = {
            name: array[candidates] if name in names else np.repeat(network[name][None], len(candidates), axis=0)
            for name, array in contest.models.items()
        }
        scores = contest.judge(tried)
        ahead = int(np.argmax(np.where(np.isnan(scores), -np.inf, scores)))
        if scores[ahead] > score:
            score, givers[index] = float(scores[ahead]), candidates[ahead]
            network |= {name: tried[name][ahead] for name in names}
    shares = np.bincount(givers, minlength=len(contest.scores)) / len(layers)
    return CompetitionResult(network, shares)


def _layers(models: NamedArrays) -> list[list[str]]:
    """The names of each layer's tensors: in an MLP a dense layer and the normalization behind it, else a child."""
    found: dict[str, list[str]] = {}
    for name in models:
        family, _, rest = name.partition(".")
        found.setdefault(rest.partition(".")[0] if family in ("layers", "norms") else family, []).append(name)
    return list(found.values())
