"""BSON's ObjectId as a type that Pydantic knows."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema


@cache
def object_id_type() -> Any:
    """`ObjectId` for annotations: taken as such or as 24 hexadecimal digits, JSON has the digits.

    Needs pymongo's `bson`.
    """
    from bson import ObjectId

    class Knowledge:
        @staticmethod
        def __get_pydantic_core_schema__(_: Any, __: GetCoreSchemaHandler) -> core_schema.CoreSchema:
            digits = core_schema.no_info_after_validator_function(
                ObjectId, core_schema.str_schema(pattern="^[0-9a-fA-F]{24}$")
            )
            return core_schema.json_or_python_schema(
                json_schema=digits,
                python_schema=core_schema.union_schema([core_schema.is_instance_schema(ObjectId), digits]),
                serialization=core_schema.to_string_ser_schema(when_used="json"),
            )

    return Annotated[ObjectId, Knowledge]
