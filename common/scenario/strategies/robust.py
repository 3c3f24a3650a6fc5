"""Strategies that hold although some clients send whatever they like; they must look at each client's weights.

Running statistics of batch normalization are a part of these weights: one vector with the parameters for Krum,
Multi-Krum, Bulyan and the geometric median, further coordinates for the median and the trimmed mean.
Where Flower has the strategy, the options are its own; what it calls nodes are clients here.
"""

from __future__ import annotations

from typing import ClassVar, Self

from common.scenario.base import key
from common.scenario.strategies.base import StrategyPart


class FedMedian(StrategyPart, name="fedmedian", server="server.strategies.fedmedian:FedMedian"):
    """The median of the clients' weights, coordinate by coordinate, whatever their rows (Yin et al. 2018)."""

    each: ClassVar[bool] = True
    robust: ClassVar[bool] = True


class FedTrimmedAvg(StrategyPart, name="fedtrimmedavg", server="server.strategies.fedtrimmedavg:FedTrimmedAvg"):
    """The mean of each coordinate without its extremes, whatever the clients' rows (Yin et al. 2018)."""

    each: ClassVar[bool] = True
    robust: ClassVar[bool] = True

    beta: float = key(
        "The share of clients that is left out at either end; to hold, at least the share of malicious ones.",
        0.2,
        unit="fraction",
        ge=0,
        lt=0.5,
    )


class _Bounded(StrategyPart):
    """A strategy that bears so many malicious clients and no more."""

    each: ClassVar[bool] = True
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


class Krum(_Bounded, name="krum", server="server.strategies.krum:Krum"):
    """The weights of the client that is nearest to its n − f − 2 nearest (Blanchard et al. 2017, section 4)."""

    bound: ClassVar[str] = "n ≥ 2f + 3 (Blanchard et al. 2017, proposition 4.2)"

    @property
    def fewest(self) -> int:
        """2f + 3."""
        return 2 * self.malicious_clients + 3


class MultiKrum(_Bounded, name="multikrum", server="server.strategies.multikrum:MultiKrum"):
    """The mean, by rows, of the m clients that Krum ranks first (Blanchard et al. 2017, section 4)."""

    bound: ClassVar[str] = "n ≥ 2f + 3 and n ≥ m + f (Blanchard et al. 2017, proposition 4.2)"

    selected_clients: int = key("m: how many clients are averaged.", 1, unit="clients", ge=1)

    @property
    def fewest(self) -> int:
        """2f + 3, and enough that m can be honest."""
        return max(2 * self.malicious_clients + 3, self.selected_clients + self.malicious_clients)


class Bulyan(_Bounded, name="bulyan", server="server.strategies.bulyan:Bulyan"):
    """Of the n − 2f clients that Krum ranks first, each coordinate's mean over the n − 4f nearest to the median.

    El Mhamdi et al. 2018, section 4. Flower ranks once where the paper ranks anew after each choice.
    """

    bound: ClassVar[str] = "n ≥ 4f + 3 (El Mhamdi et al. 2018, section 4)"

    @property
    def fewest(self) -> int:
        """4f + 3."""
        return 4 * self.malicious_clients + 3


class GeometricMedian(StrategyPart, name="geometricmedian", server="server.strategies.geometricmedian:GeometricMedian"):
    """The weights with the least sum of distances to the clients', by their rows (Pillutla et al. 2022, RFA)."""

    each: ClassVar[bool] = True
    robust: ClassVar[bool] = True

    iterations: int = key(
        "The most steps of the smoothed Weiszfeld algorithm; an event tells of a round that needed more.",
        1000,
        unit="steps",
        ge=1,
    )
    tolerance: float = key(
        "It stops where the norm of the gradient of the mean distance, between 0 and 1, is at most this. The mean "
        "distance is then within twice this share of the least.",
        1e-6,
        unit="none",
        gt=0,
    )
    smoothing: float = key("ν: distances below count as this.", 1e-6, unit="none", gt=0)
