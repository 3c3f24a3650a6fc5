"""`federation.strategy:` how replies become the next global weights; the methods themselves are `common.methods`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, Self

from common.scenario.base import Part, key
from common.scenario.data import Data
from common.scenario.model import MLPModel, Model
from common.scenario.registry import Family
from common.scenario.training import Training

STRATEGIES: Family[StrategyPart] = Family("strategies", declared_in="common.methods.*.options")


class StrategyPart(Part):
    """What strategies have in common."""

    family: ClassVar[Family[StrategyPart]] = STRATEGIES
    keeps_state: ClassVar[bool] = False
    """Whether clients keep something of their own from round to round, beside networks."""
    outcome: ClassVar[Literal["global", "own"]] = "global"
    """Whose quality a run is about: the global model's, or that of the clients' own ones."""
    needs_client_updates: ClassVar[bool] = False
    """Whether the server must see every client's weights; the others are summed where they were trained."""
    robust: ClassVar[bool] = False
    """Whether it bears clients that send anything: running statistics pass through its rule too, not their mean."""
    pooled: ClassVar[bool] = False
    """Whether all clients of a round train as one, on the union of their examples."""
    weighting: ClassVar[Literal["examples", "clients", "custom"]] = "examples"
    """What a client's weights count for in sums: its training examples, all alike, or what its algorithm says."""

    own_loop: ClassVar[bool] = False
    """Whether clients train in a loop of their own, a `ClientLoop`: nothing of the scenario's steps is used."""
    needs_features: ClassVar[bool] = False
    """Whether clients look at what a network's last hidden layer makes of examples."""
    only_mean: ClassVar[bool] = False
    """Whether it sees clients through the mean of their weights only, so that clipping and noise cover all it sees."""
    bound: ClassVar[str] = ""
    """What it needs of a round's n clients, in words."""

    name: str = ""

    @property
    def keeps_networks(self) -> bool:
        """Whether each client continues with the whole network that it has trained, and keeps it."""
        return False

    @property
    def resumable(self) -> bool:
        """Whether a checkpoint has all that the server's half carries; else the run writes none."""
        return True

    @property
    def personalizes(self) -> bool:
        """Whether clients come to models of their own, which are measured beside the global one."""
        return self.outcome == "own" or self.keeps_networks

    @property
    def sums(self) -> tuple[str, ...]:
        """The kinds of what a block's clients send summed, beside their weights."""
        return ()

    @property
    def judged_by(self) -> str | None:
        """The metric that networks are scored by; None for the task's own."""
        return None

    @property
    def fewest(self) -> int:
        """With fewer clients in a round it cannot work."""
        return 1

    def without(self, known: int) -> Self:
        """The options for a round in which so many clients are known to be malicious, and left out."""
        return self

    def personal(self, arrays: Iterable[str]) -> list[str]:
        """Which of a network's arrays, parameters and running statistics by name, clients keep to themselves.

        A client trains its own in the global ones' place and keeps them for its next round; they are in no sum,
        and in the global model they stay as they were.
        """
        return []

    def passes(self, training: Training) -> int:
        """How often a client passes over its examples in a round beside its training, forward and backward."""
        return 0

    def find_conflict(self, data: Data, model: Model, training: Training) -> tuple[str, str] | None:
        """What does not fit the scenario's data, model or training, and what is expected in its place.

        None where all fits. By dotted key from the scenario.
        """
        return None


class PersonalPart(StrategyPart):
    """What strategies have in common in which clients come to models of their own."""

    keeps_state: ClassVar[bool] = True
    outcome: ClassVar[Literal["global", "own"]] = "own"


class PersonalLayersPart(PersonalPart):
    """What strategies have in common in which some layers are each client's own."""

    personal_layers: int = 1
    children: tuple[str, ...] = key(
        "The children of an own network, by name, that are each client's own, in place of personal_layers.",
        (),
        strict=False,
    )

    def personal(self, arrays: Iterable[str]) -> list[str]:
        """Those of the last layers, or of the children that are named."""
        if self.children:
            return [name for name in arrays if any(f"{name}.".startswith(f"{child}.") for child in self.children)]
        layer = {name: int(name.split(".")[1]) for name in arrays}
        return [name for name, index in layer.items() if index > max(layer.values()) - self.personal_layers]

    def find_conflict(self, data: Data, model: Model, training: Training) -> tuple[str, str] | None:
        """Some layer must be left to have in common."""
        if not isinstance(model, MLPModel):
            told = f"the children of {model.name}, by name, that are each client's own"
            return None if self.children else ("federation.strategy.children", told)
        if self.children:
            return "federation.strategy.children", "personal_layers in its place: an mlp has no children by name"
        dense = len(model.layers) + 1
        if self.personal_layers < dense:
            return None
        return "federation.strategy.personal_layers", f"fewer than the model's {dense} dense layers"


Strategy = Annotated[StrategyPart, STRATEGIES]
