"""`data:` where the rows come from, what is held out and who gets which."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from common.scenario.base import Part, key, refuse
from common.scenario.partitions import IidPartition, Partition
from common.scenario.sources import Source


class Data(Part):
    """The data of the federation."""

    source: Source = key("Where the rows come from.")
    test_fraction: float = key(
        "Share of the rows the server keeps for testing. Only for a source without test rows of its own.",
        0.0,
        unit="fraction of all rows",
        ge=0,
        lt=1,
    )
    validation_fraction: float = key(
        "Share of the training rows the server keeps for judging models: never trained on, never the test rows.",
        0.0,
        unit="fraction of training rows",
        ge=0,
        lt=1,
    )
    client_holdout: float = key(
        "Share of its rows that each client keeps out of training to evaluate on. "
        "A client always keeps at least one row to train on.",
        0.0,
        unit="fraction of a client's rows",
        ge=0,
        lt=1,
    )
    partition: Partition = key("How the training rows are cut into one shard per client.", IidPartition())
    scale: Literal["auto", "standardize", "none"] = key(
        "standardize brings every column of the clients' training rows (and a regression's target) to mean 0 and "
        "standard deviation 1; none uses the numbers as they are; auto standardizes tables and divides uint8 by 255.",
        "auto",
    )

    @model_validator(mode="after")
    def _something_left(self) -> Data:
        if self.test_fraction + self.validation_fraction >= 1:
            raise refuse("validation_fraction", "test_fraction and validation_fraction together below 1")
        return self
