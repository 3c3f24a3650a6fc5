"""A strategy written for Flower, as it is: it is given one reply per client."""

from __future__ import annotations

import inspect
from typing import Any

from flwr.serverapp.strategy import Strategy as FlwrStrategy

from common.errors import InputError
from common.extend.strategy import StrategyContext
from common.methods.flower.server import ALONE, FlowerStrategy
from common.scenario.uses import imported

_KEY = "federation.strategy.class"
_OURS = {
    "start": "the scenario's rounds are run by Hothouse",
    "configure_train": "federation.selection chooses the clients, and training has their settings",
    "configure_evaluate": "evaluation has when and on what models are measured",
    "aggregate_evaluate": "metrics are pooled over examples",
}
"""What a strategy cannot decide here, and what does."""


class OwnFlowerStrategy(FlowerStrategy):
    """Flower's interface around a class of the user's."""

    def __init__(self, options: Any, context: StrategyContext) -> None:
        """Raises InputError for what is no such class, or one that wants to decide what the scenario does."""
        super().__init__(options, context)
        self._class = _strategy(options.class_, context)
        self._options = {**_accepted(self._class, ALONE), **options.options}
        self.carried = tuple(options.state or ())
        # Without a state there is nothing to make it anew from.
        self._kept = None if options.state is not None else self._made()

    def make(self, options: Any) -> FlwrStrategy:
        """The strategy: a new one for each round, to which its state is given, or the one there is."""
        return self._made() if self._kept is None else self._kept

    def _made(self) -> FlwrStrategy:
        try:
            made: FlwrStrategy = self._class(**self._options)
        except TypeError as error:
            raise InputError(f"{self._class.__name__}: {error}", "federation.strategy.options") from None
        missing = [name for name in self.carried if not hasattr(made, name)]
        if missing:
            raise InputError(f"{self._class.__name__} has no attribute {missing[0]}", "federation.strategy.state")
        return made


def _strategy(where: str, context: StrategyContext) -> type[Any]:
    module, _, name = where.partition(":")
    found = getattr(imported(module, context.scenario.uses, _KEY), name, None)
    if not (isinstance(found, type) and issubclass(found, FlwrStrategy)):
        raise InputError(f"{where}: expected a subclass of flwr.serverapp.strategy.Strategy", _KEY)
    for method, why in _OURS.items():
        home = next(one for one in found.__mro__ if method in vars(one))
        if not home.__module__.startswith("flwr."):
            raise InputError(f"{name} overrides {method}, which has no effect here: {why}", _KEY)
    return found


def _accepted(made_by: type[Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Those of the arguments that a class takes."""
    parameters = inspect.signature(made_by).parameters
    every = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    return {name: value for name, value in arguments.items() if every or name in parameters}
