"""The name of a metric, as a scenario asks for it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from common.metrics.base import METRICS


class _Known:
    """What a key accepts that names a metric which any examples can be pooled for."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"enum": self._names()}

    def _validate(self, value: Any) -> str:
        names = self._names()
        if value not in names:
            *others, last = map(repr, names)
            raise PydanticKnownError("literal_error", {"expected": f"{', '.join(others)} or {last}"})
        return str(value)

    @staticmethod
    def _names() -> list[str]:
        return [metric.name for metric in METRICS.values() if not metric.needs]


MetricName = Annotated[str, _Known()]
