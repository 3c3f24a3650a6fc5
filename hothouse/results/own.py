"""A client's own model after a finished run, from the run's last checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from common.errors import InputError
from common.extend.client import client_algorithm
from common.models import on_meta
from common.models.model_file import as_model
from common.models.predictor import Predictor
from common.personal import own_arrays
from common.scenario.strategy import StrategyPart
from hothouse.results.records import naming_folder
from server.record.checkpoints import LoadedCheckpoint, latest

if TYPE_CHECKING:
    from hothouse.results.run_folder import RunFolder


def own_model(run: RunFolder, client: int) -> Predictor:
    """The model of a client's own: the global one with what the client has kept in place.

    Raises InputError where the run's strategy leaves clients no model of their own, where there is no such client or it
    never trained, and where the run's last checkpoint does not have it.
    """
    with naming_folder(run.folder):
        strategy = run.scenario.federation.strategy
        if not strategy.personalizes:
            raise InputError(f"{run.folder}: {strategy.name} has one model for all; leave the client out")
        if strategy.name == "ifca":
            raise InputError(
                f"{run.folder}: ifca's clients choose among its models by their examples, which are not here"
            )
        loaded, clients = _last(run), int(run.summary["clients"])
        if not 0 <= client < clients:
            raise InputError(f"{run.folder}: expected a client from 0 to {clients - 1}, found {client}")
        if len(loaded.state.versions) != clients or any(
            event.get("event") in ("refused", "missing") for event in run.events
        ):
            raise InputError(f"{run.folder}: clients were left out from the start; which model is whose is unknown")
        return _from(run.stored_model, strategy, loaded, client)


def _last(run: RunFolder) -> LoadedCheckpoint:
    """The checkpoint of the run's last round."""
    loaded = latest(run.folder / "checkpoints", lambda path, reason: None)
    if loaded is None or loaded.state.round != run.summary["rounds"]:
        raise InputError(
            f"{run.folder}: clients' own models are in the checkpoint of the last round, which is not there; "
            "an archive has none"
        )
    return loaded


def _from(shared: Predictor, strategy: StrategyPart, loaded: LoadedCheckpoint, client: int) -> Predictor:
    """The model of the client at a place, from what the global one and the checkpoint have."""
    for kept in loaded.client_states():
        at = np.flatnonzero(kept.places == client)
        if not len(at):
            continue
        own = own_arrays({name: torch.from_numpy(rows[at]) for name, rows in kept.states.items()})
        arrays = loaded.state.parameters | loaded.state.buffers
        models = {name: torch.from_numpy(array)[None] for name, array in arrays.items()}
        weights = client_algorithm(strategy).own_model(models, own, _no_losses)
        network = on_meta(shared.spec, shared.data_spec)
        network.assign({name: tensor[0] for name, tensor in weights.items()})
        return as_model(network, shared.spec, shared.data_spec, client=client)
    raise InputError(f"client {client} has no model of its own: it never took part in a round")


def _no_losses() -> NDArray[np.float64]:
    raise InputError("the clients' examples are not here")
