"""Augmentation: what training makes of a client's rows before it sees them.

`GEOMETRY` and `PIXELS` (images), `TEXTS` and `TABLES` map each `training.augmentation[].kind` to its function.
"""

from clients.augmentation.images import GEOMETRY, PIXELS
from clients.augmentation.pipeline import Pipeline
from clients.augmentation.tables import TABLES
from clients.augmentation.texts import TEXTS

__all__ = ["GEOMETRY", "PIXELS", "TABLES", "TEXTS", "Pipeline"]
