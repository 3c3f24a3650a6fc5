"""Competition: the super node judges the clients' networks and spreads the best weights to the others."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from flwr.app import ArrayRecord

from common.arrays import Named, pack
from common.data.prepared import Indices
from common.errors import RunError
from common.messages import BUFFERS, Starts
from server.evaluation.judging import Scores
from server.exchange.results import BlockResult
from server.record.ladder import CHAMPION, Ladder
from server.strategies.base import Adoption, Instructions, Outcome, Strategy, Surroundings
from server.strategies.competition.contest import Contest, Verdict
from server.strategies.competition.layerwise import layerwise
from server.strategies.competition.lines import Lines, named
from server.strategies.competition.means import best, top_k, weighted
from server.strategies.competition.population import Population
from server.strategies.competition.tournament import Tournament

__all__ = ["Competition"]

_REPORTED = "reported."

SHARED = {"best": best, "top_k": top_k, "weighted": weighted, "layerwise": layerwise}
"""Modes in which all networks start a round from the same weights: what a contest comes to."""
OWN: dict[str, type[Lines]] = {"tournament": Tournament, "population": Population}
"""Modes in which each client's network is a line of its own."""


class Networks(NamedTuple):
    """Networks that compete: their clients' positions and rows, their weights."""

    positions: Indices
    rows: Indices
    models: Named

    def joined_by(self, champion: Named, rows: int) -> Networks:
        """These, and last the champion."""
        models = {name: np.concatenate([array, champion[name][None]]) for name, array in self.models.items()}
        return Networks(np.append(self.positions, CHAMPION), np.append(self.rows, rows), models)


class Competition(Strategy):
    """Judges every network of a round and makes the next weights by the rule of its mode."""

    def __init__(self, options: Any, surroundings: Surroundings) -> None:
        super().__init__(options, surroundings)
        self._lines = OWN[options.mode](options, surroundings) if options.mode in OWN else None
        self._cohort: Indices = np.empty(0, np.int64)
        self._sent: Named = {}
        self._origin = -1
        """The client whose network weighs most in what was spread, -1 for the given weights."""
        self._champion, self._champion_rows = -1, 0
        """The client whose network weighs most in the global model, -1 for the given one; and its rows."""
        self._reported: Named = {}
        """The global model where that is not what was spread."""

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """The global weights for all; or, for those whose line has not begun, what lines begin with."""
        self._cohort = cohort
        self._sent = {name: array.numpy() for name, array in parameters.items()} | buffers
        if self._lines is None:
            return Instructions(parameters)
        self._lines.begin(self._sent)
        given = self._lines.given
        return Instructions(
            pack({name: given[name] for name in parameters}),
            {BUFFERS: {name: given[name] for name in buffers}} if buffers else {},
            values=self._lines.values(cohort),
        )

    def starts(self) -> Starts:
        """The networks that clients adopted and have not trained yet."""
        return Starts() if self._lines is None else self._lines.adopted

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """Judge the networks that came back and let the mode decide."""
        networks, judge = self._networks(results), self._judge
        champion = self.options.keep_champion and self._champion != -1
        if champion and self._lines is None:
            networks = self._with_champion(networks)
        contest = Contest(round_number, self.options, *networks, judge(networks.models), judge)
        if not contest.judged.any():
            raise RunError(f"round {round_number}: none of {len(contest.scores)} networks could be judged")
        if self._lines is None:
            verdict = SHARED[self.options.mode](contest)
        else:
            verdict = self._lines.decide(contest)
            if champion:
                contest, verdict = self._against_champion(contest, verdict)
        # Of several with equal shares, the one that ranks first.
        top = contest.ranking[np.argmax(verdict.shares[contest.ranking])]
        ahead = self._ahead(contest, verdict)
        ladder = self._ladder(contest, verdict, top, ahead)
        chosen = top if ahead is None else ahead
        self._origin = int(ladder.clients[top])
        self._champion, self._champion_rows = int(ladder.clients[chosen]), int(contest.rows[chosen])
        self._reported = {} if ahead is None else contest.model(ahead)
        weights = dict(verdict.weights)
        parameters = {name: weights[name] for name in results[0].rows["parameters"]}
        judging = self.surroundings.judging
        score = float(contest.scores[contest.ranking[0]])
        metrics = {"winner": self._champion, "winner_score": score if judging.more_is_better else -score}
        return Outcome(
            parameters,
            {name: array for name, array in weights.items() if name not in parameters},
            metrics,
            ladder,
            self._adoption(contest, verdict, top),
        )

    def reported(self, weights: Named) -> Named:
        """The best-scored network of the last round, what the super node made of them included."""
        return weights | self._reported

    def _ahead(self, contest: Contest, verdict: Verdict) -> int | None:
        """The place of the network that scores better than what is spread, if any does."""
        winner = int(contest.ranking[0])
        if not verdict.mean or verdict.shares[winner] == 1:
            return None
        (score,) = self._judge({name: array[None] for name, array in verdict.weights.items()})
        # A mean that is no number scores NaN, of which nothing is less.
        return None if score >= contest.scores[winner] else winner

    def _networks(self, results: list[BlockResult]) -> Networks:
        """The networks that took part, in cohort order."""
        usable = [result.metrics["examples"] > 0 for result in results]
        rows = [{name: array for kind in result.rows.values() for name, array in kind.items()} for result in results]
        models = {
            name: np.concatenate([part[name][chosen] for part, chosen in zip(rows, usable, strict=True)])
            for name in rows[0]
        }
        places = np.concatenate([result.block.places[chosen] for result, chosen in zip(results, usable, strict=True)])
        order = np.argsort(places, kind="stable")
        positions = self._cohort[places[order]]
        return Networks(
            positions, self.surroundings.sizes[positions], {name: array[order] for name, array in models.items()}
        )

    def _judge(self, candidates: Named) -> Scores:
        judging = self.surroundings.judging
        if self.options.judge == "server":
            return judging.by_server(candidates)
        return judging.by_clients(candidates, self._cohort)

    def _with_champion(self, networks: Networks) -> Networks:
        return networks.joined_by(self.reported(self._sent), self._champion_rows)

    def _against_champion(self, contest: Contest, verdict: Verdict) -> tuple[Contest, Verdict]:
        """Lines have met; the champion is the global model still where none of them scores better."""
        networks = self._with_champion(Networks(contest.positions, contest.rows, contest.models))
        score = self._judge({name: array[None] for name, array in self._sent.items()})
        scores = np.concatenate([contest.scores, score])
        joined = Contest(contest.round, self.options, *networks, scores, self._judge)
        winner, mine = int(joined.ranking[0]), len(contest.scores)
        settings = {key: np.append(own, np.nan) for key, own in verdict.settings.items()}
        parents, givers = np.append(verdict.parents, CHAMPION), np.append(verdict.givers, mine)
        return joined, Verdict(joined.model(winner), np.eye(mine + 1)[winner], parents, givers, settings)

    def _ladder(self, contest: Contest, verdict: Verdict, top: int, ahead: int | None) -> Ladder:
        judging, clients = self.surroundings.judging, self._ids(contest.positions)
        split = "validation" if self.options.judge == "server" else "holdout"
        parents, adopts = np.full(len(clients), self._origin), np.full(len(clients), clients[top])
        if self._lines is not None:
            parents, adopts = self._ids(verdict.parents), clients[verdict.givers]
        parents[contest.positions == CHAMPION] = self._champion
        return Ladder(
            metric=f"{split}_{judging.metric}",
            more_is_better=judging.more_is_better,
            clients=clients,
            scores=contest.scores if judging.more_is_better else -contest.scores,
            parents=parents,
            shares=verdict.shares,
            adopts=adopts,
            settings=verdict.settings,
            reported=None if ahead is None else int(clients[ahead]),
        )

    def _ids(self, positions: Indices) -> Indices:
        """The ids of clients; what stands for none of them stays."""
        return np.where(positions < 0, positions, self.surroundings.clients[positions])

    def _adoption(self, contest: Contest, verdict: Verdict, top: int) -> Adoption:
        """Who goes on with weights that are not its own."""
        if self._lines is None:
            everyone = np.arange(len(self.surroundings.clients))
            giver = contest.positions[top]
            # A mean is nobody's own; and so is what was somebody's a round ago.
            adopters = np.delete(everyone, giver) if verdict.shares[top] == 1 and giver >= 0 else everyone
            givers = np.full(len(adopters), giver)
        else:
            taking = np.flatnonzero(verdict.givers != np.arange(len(verdict.givers)))
            taking = taking[np.argsort(contest.positions[taking])]
            adopters, givers = contest.positions[taking], contest.positions[verdict.givers[taking]]
        return Adoption(adopters, givers if self.options.adopted_state == "copied" else np.full(len(adopters), -1))

    def state(self) -> Named:
        """The global model and where it and what was spread came from, and the lines."""
        lines = {} if self._lines is None else self._lines.state()
        reported = {_REPORTED + name: array for name, array in self._reported.items()}
        origins = np.array([self._origin, self._champion, self._champion_rows])
        return {"origins": origins, **reported, **lines}

    def restore(self, state: Named) -> None:
        """Take back what `state` gave."""
        self._origin, self._champion, self._champion_rows = state["origins"].tolist()
        self._reported = named(state, _REPORTED)
        if self._lines is not None:
            self._lines.restore(state)
