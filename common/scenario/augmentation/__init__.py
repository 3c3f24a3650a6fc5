"""What training makes of a client's rows before it sees them: one class for each `training.augmentation[].kind`.

Augmentation acts on raw values, before gaps are filled and columns are scaled.
"""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from common.scenario.augmentation.images import Image
from common.scenario.augmentation.tables import Table
from common.scenario.augmentation.texts import Text
from common.scenario.base import Named, Part

Augmentation = Annotated[Image | Text | Table, Field(discriminator="kind"), Named("kind")]

IMAGES: tuple[type[Part], ...] = get_args(Image)
TEXTS: tuple[type[Part], ...] = get_args(Text)
TABLES: tuple[type[Part], ...] = get_args(Table)
AUGMENTATIONS = (*IMAGES, *TEXTS, *TABLES)
