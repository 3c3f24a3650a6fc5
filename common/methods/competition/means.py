"""The modes in which the next weights are a mean of the round's networks."""

from __future__ import annotations

import numpy as np

from common.methods.competition.contest import CompetitionResult, Contest


def best(contest: Contest) -> CompetitionResult:
    """The winner takes all: θ ← θ_w, w = argmax score."""
    winner = int(contest.ranking[0])
    return CompetitionResult(contest.model(winner), np.eye(len(contest.scores))[winner])


def top_k(contest: Contest) -> CompetitionResult:
    """θ ← the mean of the k best, or of all that were judged where those are fewer; equal weights or by examples."""
    chosen = contest.ranking[: min(contest.options.k, int(contest.judged.sum()))]
    shares = np.zeros(len(contest.scores))
    counting = contest.examples[chosen] if contest.options.average == "rows" else np.ones(len(chosen))
    shares[chosen] = counting / counting.sum()
    return CompetitionResult(contest.mean(shares), shares, mean=True)


def weighted(contest: Contest) -> CompetitionResult:
    """θ ← Σ pᵢ θᵢ with p = softmax(score / temperature) over those that were judged."""
    heat = np.where(contest.judged, contest.scores, -np.inf) / contest.options.temperature
    shares = np.exp(heat - heat.max())
    shares /= shares.sum()
    return CompetitionResult(contest.mean(shares), shares, mean=True)
