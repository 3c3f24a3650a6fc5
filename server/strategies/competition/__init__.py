"""Competition: the super node judges the clients' networks and spreads the best weights to the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from flwr.app import ArrayRecord

from common.arrays import Named
from common.data.prepared import Indices
from common.errors import RunError
from server.exchange.results import BlockResult
from server.record.ladder import Ladder
from server.strategies.base import Instructions, Outcome, Strategy, Surroundings
from server.strategies.competition.contest import Contest, Verdict
from server.strategies.competition.layerwise import layerwise
from server.strategies.competition.lines import Lines
from server.strategies.competition.means import best, top_k, weighted
from server.strategies.competition.population import Population
from server.strategies.competition.tournament import Tournament

__all__ = ["Competition"]

SHARED = {"best": best, "top_k": top_k, "weighted": weighted, "layerwise": layerwise}
"""Modes in which all networks start a round from the same weights: what a contest comes to."""
OWN: dict[str, type[Lines]] = {"tournament": Tournament, "population": Population}
"""Modes in which each client's network is a line of its own."""


class Competition(Strategy):
    """Judges every network of a round and makes the next weights by the rule of its mode."""

    def __init__(self, options: Any, surroundings: Surroundings) -> None:
        super().__init__(options, surroundings)
        self._lines = OWN[options.mode](options, surroundings) if options.mode in OWN else None
        self._cohort: Indices = np.empty(0, np.int64)
        self._sent: Named = {}
        self._origin = -1
        """The client whose network weighs most in the global weights; -1 for the given ones."""

    def instruct(self, round_number: int, parameters: ArrayRecord, buffers: Named, cohort: Indices) -> Instructions:
        """The global weights for all, or each client's own line."""
        self._cohort = cohort
        instructions = Instructions(parameters)
        self._sent = {name: array.numpy() for name, array in parameters.items()} | buffers
        if self._lines is not None:
            self._lines.begin(self._sent)
            instructions.starts = self._lines.starts(cohort)
            instructions.values = self._lines.values(cohort)
        return instructions

    def aggregate(self, round_number: int, results: list[BlockResult]) -> Outcome:
        """Judge the networks that came back and let the mode decide."""
        contest = self._contest(round_number, results)
        if not contest.judged.any():
            raise RunError(f"round {round_number}: none of {len(contest.scores)} networks could be judged")
        verdict = self._lines.decide(contest) if self._lines is not None else SHARED[self.options.mode](contest)
        ladder = self._ladder(contest, verdict)
        # Of several with equal shares, the one that ranks first.
        top = contest.ranking[np.argmax(verdict.shares[contest.ranking])]
        self._origin = int(ladder.clients[top])
        weights = dict(verdict.weights)
        parameters = {name: weights[name] for name in results[0].rows["parameters"]}
        judging = self.surroundings.judging
        score = float(contest.scores[contest.ranking[0]])
        metrics = {"winner": self._origin, "winner_score": score if judging.more_is_better else -score}
        return Outcome(
            parameters, {name: array for name, array in weights.items() if name not in parameters}, metrics, ladder
        )

    def _contest(self, round_number: int, results: list[BlockResult]) -> Contest:
        """The networks that took part, in cohort order, and their scores."""
        usable = [result.metrics["examples"] > 0 for result in results]
        rows = [{name: array for kind in result.rows.values() for name, array in kind.items()} for result in results]
        models = {
            name: np.concatenate([part[name][chosen] for part, chosen in zip(rows, usable, strict=True)])
            for name in rows[0]
        }
        places = np.concatenate([result.block.places[chosen] for result, chosen in zip(results, usable, strict=True)])
        order = np.argsort(places, kind="stable")
        models = {name: array[order] for name, array in models.items()}
        positions = self._cohort[places[order]]

        def judge(candidates: Named) -> np.ndarray:
            judging = self.surroundings.judging
            if self.options.judge == "server":
                return judging.by_server(candidates)
            return judging.by_clients(candidates, self._cohort)

        return Contest(round_number, self.options, positions, models, judge(models), judge)

    def _ladder(self, contest: Contest, verdict: Verdict) -> Ladder:
        judging, clients = self.surroundings.judging, self.surroundings.clients
        split = "validation" if self.options.judge == "server" else "holdout"
        parents = np.full(len(contest.positions), self._origin)
        if self._lines is not None:
            parents = verdict.parents
            parents = np.where(parents < 0, -1, clients[parents])
        return Ladder(
            metric=f"{split}_{judging.metric}",
            more_is_better=judging.more_is_better,
            clients=clients[contest.positions],
            scores=contest.scores if judging.more_is_better else -contest.scores,
            parents=parents,
            shares=verdict.shares,
        )

    def state(self) -> Named:
        """Where the global weights came from, and the lines."""
        lines = {} if self._lines is None else self._lines.state()
        return {"origin": np.array(self._origin), **lines}

    def restore(self, state: Named) -> None:
        """Take back what `state` gave."""
        self._origin = int(state["origin"])
        if self._lines is not None:
            self._lines.restore({name: array for name, array in state.items() if name != "origin"})
