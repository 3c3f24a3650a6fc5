"""The options of Flower's own strategies, under Flower's names; what it calls nodes are clients here.

FedAdagrad, FedAdam and FedYogi lack Flower's `eta_l`: the clients' rate is `training.optimizer.lr`. Their mean of
squares begins with v = 0, where the paper asks for v₋₁ ≥ τ²: the first steps are longer.
FedMedian, Krum, Multi-Krum and Bulyan hold although some clients send whatever they like; they must look at each
client's weights. Running statistics of batch normalization are a part of these: one vector with the parameters, or
further coordinates for the median.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from common.scenario.base import key
from common.scenario.strategy import StrategyPart


class FedAvg(StrategyPart, name="fedavg", server="common.methods.flower.server:fedavg"):
    """Federated averaging (McMahan et al. 2017): the mean of the clients' weights, by their examples.

    θ ← Σ nₖ θₖ / Σ nₖ over the clients of the round, nₖ their training examples (algorithm 1).
    """

    only_mean: ClassVar[bool] = True


class FedAvgM(StrategyPart, name="fedavgm", server="common.methods.flower.server:fedavgm"):
    """FedAvg with momentum on the server (Hsu et al. 2019, section 4.3).

    v ← β v + (θ − θ̄); θ ← θ − η v, with θ̄ the mean of the clients' weights.
    """

    only_mean: ClassVar[bool] = True

    server_learning_rate: float = key(
        "How far the server steps along the clients' mean change.", 1.0, unit="none", gt=0
    )
    server_momentum: float = key("How much of the previous step goes on.", 0.9, unit="none", ge=0, lt=1)


class FedAdagrad(StrategyPart, name="fedadagrad", server="common.methods.flower.server:fedadagrad"):
    """Adagrad on the server (Reddi et al. 2021, algorithm 2).

    Flower's has no momentum and begins with v = 0; the paper has momentum in all three methods, and v₋₁ ≥ τ².

    v ← v + Δ²; θ ← θ + η Δ / (√v + τ), with Δ the clients' mean change.
    """

    only_mean: ClassVar[bool] = True

    eta: float = key("The server's learning rate.", 0.1, unit="none", gt=0)
    tau: float = key("Added to the root: how adaptive it is, small being more.", 1e-3, unit="none", gt=0)


class FedAdam(StrategyPart, name="fedadam", server="common.methods.flower.server:fedadam"):
    """Adam on the server (Reddi et al. 2021, algorithm 2).

    Flower begins with v = 0, where the paper has v₋₁ ≥ τ², and corrects the bias of both moments, by one round more
    than were done; the paper corrects none.

    m ← β₁ m + (1−β₁) Δ; v ← β₂ v + (1−β₂) Δ²; θ ← θ + η m / (√v + τ), with Δ the clients' mean change and η
    multiplied, in round t, by √(1 − β₂ᵗ⁺¹) / (1 − β₁ᵗ⁺¹).
    """

    only_mean: ClassVar[bool] = True

    eta: float = key("The server's learning rate.", 0.1, unit="none", gt=0)
    beta_1: float = key("Decay of the mean of changes.", 0.9, unit="none", ge=0, lt=1)
    beta_2: float = key("Decay of the mean of their squares.", 0.99, unit="none", ge=0, lt=1)
    tau: float = key("Added to the root: how adaptive it is, small being more.", 1e-3, unit="none", gt=0)


class FedYogi(StrategyPart, name="fedyogi", server="common.methods.flower.server:fedyogi"):
    """Yogi on the server (Reddi et al. 2021, algorithm 2).

    Flower begins with v = 0, where the paper has v₋₁ ≥ τ².

    As FedAdam, without its factor, and v ← v − (1−β₂) Δ² sign(v − Δ²).
    """

    only_mean: ClassVar[bool] = True

    eta: float = key("The server's learning rate.", 0.01, unit="none", gt=0)
    beta_1: float = key("Decay of the mean of changes.", 0.9, unit="none", ge=0, lt=1)
    beta_2: float = key("Decay of the mean of their squares.", 0.99, unit="none", ge=0, lt=1)
    tau: float = key("Added to the root: how adaptive it is, small being more.", 1e-3, unit="none", gt=0)


class FedMedian(StrategyPart, name="fedmedian", server="common.methods.flower.server:fedmedian"):
    """The median of the clients' weights, coordinate by coordinate, whatever their examples (Yin et al. 2018)."""

    needs_client_updates: ClassVar[bool] = True
    robust: ClassVar[bool] = True


class _Bounded(StrategyPart):
    """A strategy that bears so many malicious clients and no more."""

    needs_client_updates: ClassVar[bool] = True
    robust: ClassVar[bool] = True

    malicious_clients: int = key(
        "f: how many of a round's clients may be malicious. Those that send what no honest client can, such as a "
        "negative variance, are left out and are some of them.",
        0,
        unit="clients",
        ge=0,
    )

    def without(self, known: int) -> Self:
        """f − known."""
        fewer = max(0, self.malicious_clients - known)
        return self.model_copy(update={"malicious_clients": fewer}) if known else self


class Krum(_Bounded, name="krum", server="common.methods.flower.server:krum"):
    """The weights of the client that is nearest to its n − f − 2 nearest (Blanchard et al. 2017, section 4)."""

    bound: ClassVar[str] = "n ≥ 2f + 3 (Blanchard et al. 2017, proposition 4.2)"

    @property
    def fewest(self) -> int:
        """2f + 3."""
        return 2 * self.malicious_clients + 3


class MultiKrum(_Bounded, name="multikrum", server="common.methods.flower.server:multikrum"):
    """The mean, by examples, of the m clients that Krum ranks first (Blanchard et al. 2017, section 4)."""

    bound: ClassVar[str] = "n ≥ 2f + 3 and n ≥ m + f (Blanchard et al. 2017, proposition 4.2)"

    selected_clients: int = key("m: how many clients are averaged.", 1, unit="clients", ge=1)

    @property
    def fewest(self) -> int:
        """2f + 3, and enough that m can be honest."""
        return max(2 * self.malicious_clients + 3, self.selected_clients + self.malicious_clients)


class Bulyan(_Bounded, name="bulyan", server="common.methods.flower.server:bulyan"):
    """Of the n − 2f clients that Krum ranks first, each coordinate's mean over the n − 4f nearest to the median.

    El Mhamdi et al. 2018, section 4. Flower ranks once where the paper ranks anew after each choice.
    """

    bound: ClassVar[str] = "n ≥ 4f + 3 (El Mhamdi et al. 2018, section 4)"

    @property
    def fewest(self) -> int:
        """4f + 3."""
        return 4 * self.malicious_clients + 3


class OwnClass(StrategyPart, name="flower", server="common.methods.flower.own:OwnFlowerStrategy"):
    """A strategy written for Flower, a subclass of `flwr.serverapp.strategy.Strategy`, given one reply per client.

    It decides how replies become weights (`aggregate_train`) and nothing else: one that overrides `start`, sampling or
    evaluation is refused.
    """

    needs_client_updates: ClassVar[bool] = True

    class_: str = key(
        "The class, as module:Class. The module is a file that the scenario uses, without .py, or an installed one.",
        alias="class",
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
    )
    options: dict[str, Any] = key("What its constructor is given, by name.", {})
    state: tuple[str, ...] | None = key(
        "The attributes that it carries from round to round: arrays in a list or by name, or None. Without this key "
        "the run writes no checkpoint, and cannot be resumed.",
        None,
        strict=False,
    )

    @property
    def resumable(self) -> bool:
        """Whether its state is declared."""
        return self.state is not None
