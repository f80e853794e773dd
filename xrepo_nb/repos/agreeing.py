"""Whether the rows of a source are what a schema says of them."""

from __future__ import annotations

from xrepo_nb.core.errors import XRepoConfigurationError
from xrepo_nb.resources.base import XResource
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import NUMERIC, Field


async def must_hold(resource: XResource, collection: str | None, schema: Schema) -> None:
    """Refuses a schema whose fields the rows lack, or hold in other types: each query would go astray."""
    if resource.capabilities.any_field:
        return
    described = {field.name: field for field in (await resource.describe(collection)).fields}
    for field in schema.fields:
        found = described.get(field.name)
        if found is None and described:
            raise XRepoConfigurationError(
                f"the schema given has the field {field.name!r}, and {collection or resource.name} has none",
                asked=field.name,
                exists=described,
            )
        if found is not None and not agree(field, found):
            raise XRepoConfigurationError(
                f"{field.name!r} is {field.type} in the schema given, and {collection or resource.name} "
                f"holds {found.type}",
                asked=field.name,
                hint="leave the schema out, or convert the rows with materialized=True",
            )


def agree(declared: Field, found: Field) -> bool:
    """Whether rows of the one type are what the other says: numbers of all kinds are alike."""
    a, b = declared.type.kind, found.type.kind
    return a == b or a == "mixed" or {a, b} <= NUMERIC
