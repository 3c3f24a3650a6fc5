"""Competition: the super node judges the clients' networks and spreads the best weights to the others."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from common.arrays import NamedArrays
from common.data.prepared import Indices
from common.errors import RunError
from common.extend.leaderboard import CHAMPION, Leaderboard
from common.extend.results import BlockResult
from common.extend.strategy import (
    Adoption,
    Instructions,
    RoundOutcome,
    RoundStart,
    Scores,
    Strategy,
    StrategyContext,
    under_prefix,
    with_prefix,
)
from common.messages import BUFFERS, InitialWeights
from common.methods.competition.contest import CompetitionResult, Contest
from common.methods.competition.layerwise import layerwise
from common.methods.competition.lineages import Lineages
from common.methods.competition.means import best, top_k, weighted
from common.methods.competition.population import Population
from common.methods.competition.tournament import Tournament

_ORIGINS, _REPORTED = "origins", "reported."

SHARED = {"best": best, "top_k": top_k, "weighted": weighted, "layerwise": layerwise}
"""Modes in which all networks start a round from the same weights: what a contest comes to."""
OWN: dict[str, type[Lineages]] = {"tournament": Tournament, "population": Population}
"""Modes in which each client's network is a line of its own."""


class Networks(NamedTuple):
    """Networks that compete: their clients' positions and examples, their weights."""

    positions: Indices
    examples: Indices
    models: NamedArrays

    def with_champion(self, champion: NamedArrays, examples: int) -> Networks:
        """These, and last the champion."""
        models = {name: np.concatenate([array, champion[name][None]]) for name, array in self.models.items()}
        return Networks(np.append(self.positions, CHAMPION), np.append(self.examples, examples), models)


class Competition(Strategy):
    """Judges every network of a round and makes the next weights by the rule of its mode.

    The state has, as `origins`, the client whose network weighs most in what was spread, the one whose network
    weighs most in the global model, and how many examples it has (−1 for given weights); the global model where that
    is not what was spread, as `reported.NAME`; and the leaderboard.
    """

    def __init__(self, options: Any, context: StrategyContext) -> None:
        super().__init__(options, context)
        self.state = {_ORIGINS: np.array([-1, -1, 0])}
        self._lines = OWN[options.mode](self) if options.mode in OWN else None

    def instruct(self, start: RoundStart) -> Instructions:
        """The global weights for all; or, for those whose line has not begun, what lines begin with."""
        if self._lines is None:
            return Instructions()
        self._lines.begin(start.parameters | start.buffers)
        given = self._lines.given
        return Instructions(
            {name: given[name] for name in start.parameters},
            {BUFFERS: {name: given[name] for name in start.buffers}} if start.buffers else {},
            values=self._lines.values(start.cohort),
        )

    def initial_weights(self) -> InitialWeights:
        """The networks that clients adopted and have not trained yet."""
        return InitialWeights() if self._lines is None else self._lines.adopted

    def aggregate(self, start: RoundStart, results: list[BlockResult]) -> RoundOutcome:
        """Judge the networks that came back and let the mode decide."""
        sent, networks = start.parameters | start.buffers, self._networks(start, results)

        def judge(candidates: NamedArrays) -> Scores:
            scorer = self.context.scorer
            by_server = self.options.judge == "server"
            return scorer.by_server(candidates) if by_server else scorer.by_clients(candidates, start.cohort)

        champion = self.options.keep_champion and self._champion != -1
        if champion and self._lines is None:
            networks = networks.with_champion(self.reported(sent), self._champion_examples)
        contest = Contest(start.number, self.options, *networks, judge(networks.models), judge)
        if not contest.judged.any():
            raise RunError(f"round {start.number}: none of {len(contest.scores)} networks could be scored")
        if self._lines is None:
            verdict = SHARED[self.options.mode](contest)
        else:
            verdict = self._lines.decide(contest)
            if champion:
                contest, verdict = self._against_champion(contest, verdict, sent)
        # Of several with equal shares, the one that ranks first.
        top = contest.ranking[np.argmax(verdict.shares[contest.ranking])]
        ahead = self._ahead(contest, verdict)
        leaderboard = self._leaderboard(contest, verdict, top, ahead)
        chosen = top if ahead is None else ahead
        reported = {} if ahead is None else contest.model(ahead)
        others = {name: array for name, array in self.state.items() if not name.startswith(_REPORTED)}
        origins = [leaderboard.clients[top], leaderboard.clients[chosen], contest.examples[chosen]]
        self.state = others | {_ORIGINS: np.array(origins)} | with_prefix(_REPORTED, reported)
        weights = dict(verdict.weights)
        parameters = {name: weights[name] for name in results[0].rows["parameters"]}
        scorer = self.context.scorer
        score = float(contest.scores[contest.ranking[0]])
        metrics = {"winner": self._champion, "winner_score": score if scorer.more_is_better else -score}
        return RoundOutcome(
            parameters,
            {name: array for name, array in weights.items() if name not in parameters},
            metrics,
            leaderboard,
            self._adoption(contest, verdict, top),
        )

    def reported(self, weights: NamedArrays) -> NamedArrays:
        """The best-scored network of the last round, what the super node made of them included."""
        return weights | under_prefix(_REPORTED, self.state)

    @property
    def _champion(self) -> int:
        return int(self.state[_ORIGINS][1])

    @property
    def _champion_examples(self) -> int:
        return int(self.state[_ORIGINS][2])

    def _ahead(self, contest: Contest, verdict: CompetitionResult) -> int | None:
        """The place of the network that scores better than what is spread, if any does."""
        winner = int(contest.ranking[0])
        if not verdict.mean or verdict.shares[winner] == 1:
            return None
        (score,) = contest.judge({name: array[None] for name, array in verdict.weights.items()})
        # A mean that is no number scores NaN, of which nothing is less.
        return None if score >= contest.scores[winner] else winner

    def _networks(self, start: RoundStart, results: list[BlockResult]) -> Networks:
        """The networks that took part, in cohort order."""
        usable = [result.took_part for result in results]
        rows = [{name: array for kind in result.rows.values() for name, array in kind.items()} for result in results]
        models = {
            name: np.concatenate([part[name][chosen] for part, chosen in zip(rows, usable, strict=True)])
            for name in rows[0]
        }
        places = np.concatenate([result.block.places[chosen] for result, chosen in zip(results, usable, strict=True)])
        order = np.argsort(places, kind="stable")
        positions = start.cohort[places[order]]
        return Networks(
            positions, self.context.sizes[positions], {name: array[order] for name, array in models.items()}
        )

    def _against_champion(
        self, contest: Contest, verdict: CompetitionResult, sent: NamedArrays
    ) -> tuple[Contest, CompetitionResult]:
        """Lines have met; the champion is the global model still where none of them scores better."""
        networks = Networks(contest.positions, contest.examples, contest.models)
        networks = networks.with_champion(self.reported(sent), self._champion_examples)
        score = contest.judge({name: array[None] for name, array in sent.items()})
        scores = np.concatenate([contest.scores, score])
        joined = Contest(contest.round, self.options, *networks, scores, contest.judge)
        winner, mine = int(joined.ranking[0]), len(contest.scores)
        settings = {key: np.append(own, np.nan) for key, own in verdict.settings.items()}
        parents, givers = np.append(verdict.parents, CHAMPION), np.append(verdict.givers, mine)
        return joined, CompetitionResult(joined.model(winner), np.eye(mine + 1)[winner], parents, givers, settings)

    def _leaderboard(self, contest: Contest, verdict: CompetitionResult, top: int, ahead: int | None) -> Leaderboard:
        scorer, clients = self.context.scorer, self._ids(contest.positions)
        split = "validation" if self.options.judge == "server" else "holdout"
        parents, adopts = np.full(len(clients), int(self.state[_ORIGINS][0])), np.full(len(clients), clients[top])
        if self._lines is not None:
            parents, adopts = self._ids(verdict.parents), clients[verdict.givers]
        parents[contest.positions == CHAMPION] = self._champion
        return Leaderboard(
            metric=f"{split}_{scorer.metric}",
            more_is_better=scorer.more_is_better,
            clients=clients,
            scores=contest.scores if scorer.more_is_better else -contest.scores,
            parents=parents,
            shares=verdict.shares,
            adopts=adopts,
            settings=verdict.settings,
            reported=None if ahead is None else int(clients[ahead]),
        )

    def _ids(self, positions: Indices) -> Indices:
        """The ids of clients; what stands for none of them stays."""
        return np.where(positions < 0, positions, self.context.clients[positions])

    def _adoption(self, contest: Contest, verdict: CompetitionResult, top: int) -> Adoption:
        """Who continues with weights that are not its own."""
        if self._lines is None:
            everyone = np.arange(len(self.context.clients))
            giver = contest.positions[top]
            # A mean is nobody's own; and so is what was somebody's a round ago.
            adopters = np.delete(everyone, giver) if verdict.shares[top] == 1 and giver >= 0 else everyone
            givers = np.full(len(adopters), giver)
        else:
            taking = np.flatnonzero(verdict.givers != np.arange(len(verdict.givers)))
            taking = taking[np.argsort(contest.positions[taking])]
            adopters, givers = contest.positions[taking], contest.positions[verdict.givers[taking]]
        return Adoption(adopters, givers if self.options.adopted_state == "copied" else np.full(len(adopters), -1))
