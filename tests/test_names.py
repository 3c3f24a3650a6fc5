"""Names are the field's: those of the table's left side are gone."""

from __future__ import annotations

import io
import itertools
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.test_architecture import PACKAGES

TERMS = {
    "Surroundings": "StrategyContext",
    "OwnRound": "ClientContext",
    "Ended": "ClientUpdate",
    "Course": "StackTraining",
    "Basis": "TrainingContext",
    "Member": "BlockWorker",
    "Dice": "TextRandom",
    "Kin": "SameClassExamples",
    "Distance": "SummedStepSize",
    "Starts": "InitialWeights",
    "Keeper": "CheckpointPolicy",
    "Keeping": "ClientStateSync",
    "Kept": "ClientState",
    "Chronicle": "ReportRecorder",
    "Telling": "ConsoleObserver",
    "Roll": "RoundReport",
    "Ladder": "Leaderboard",
    "Judging": "ScenarioScorer",
    "Verdict": "CompetitionResult",
    "Slate": "SharedBuffer",
    "Lines": "SocketPool",
    "Mail": "Codec",
    "Question": "Request",
    "Answer": "Response",
    "Agreement": "DataSpec",
    "admit": "normalize_table",
    "looks": "needs_client_losses",
    "Named": "NamedArrays",
    "Records": "RunRecords, MessageRecords",
    "Trained": "RoundResults, TrainedClients",
    "Outcome": "RoundOutcome, RunOutcome",
    "Raw": "RawRows, Html",
    "Change": "StepHook, RowChange, SkewRule, DraftChange",
}


def classes_and_functions(path: Path) -> Iterator[str]:
    """The names of what a file declares."""
    tokens = list(tokenize.generate_tokens(io.StringIO(path.read_text()).readline))
    for before, now in itertools.pairwise(tokens):
        if before.string in ("class", "def") and before.type == now.type == tokenize.NAME:
            yield now.string


def test_no_declaration_has_a_name_that_was_replaced() -> None:
    for package in PACKAGES:
        for path in (REPOSITORY / package).rglob("*.py"):
            old = set(classes_and_functions(path)) & TERMS.keys()
            assert not old, f"{path}: {', '.join(f'{name} is {TERMS[name]}' for name in old)}"
