"""Direct queries of a source: what `XResource.query` does. Ungoverned: repos are the governed way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.core.offload import offload
from xrepo_nb.query.plan import Limit, Match, Plan, Scan, Skip, Sort
from xrepo_nb.resources.base import ScanRequest, XResource
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table


async def query(
    resource: XResource,
    filters: Mapping[str, Any] | None,
    collection: str | None,
    skip: int,
    limit: int | None,
    sort: Sequence[tuple[str, int]] | None,
) -> list[dict[str, Any]]:
    """The documents that match, sorted, from `skip` on, at most `limit`.

    Raises `XRepoQueryError` for unknown fields and operators, and values of a wrong type.
    """
    schema = await resource.describe(collection)
    plan = await offload(_plan, schema, filters, skip, limit, sort)
    return await answer(resource, collection, plan, schema)


async def answer(
    resource: XResource, collection: str | None, plan: Plan, schema: Schema
) -> list[dict[str, Any]]:
    """The documents of a plan over one scan, run by the source as far as it can, and finished here."""
    native, residual = (plan, Scan(_ROWS)) if resource.capabilities.lazy else _split(plan, resource)
    batches = [batch async for batch in resource.scan(collection, ScanRequest(native))]
    return await offload(_finished, residual, batches, schema)


_ROWS = "rows"


def _plan(
    schema: Schema,
    filters: Mapping[str, Any] | None,
    skip: int,
    limit: int | None,
    sort: Sequence[tuple[str, int]] | None,
) -> Plan:
    from xrepo_nb.query.check import check_fields
    from xrepo_nb.query.naming import names_with_dots, with_names
    from xrepo_nb.query.parsing import parse_filter, parse_sort

    if skip < 0 or (limit is not None and limit < 0):
        raise XRepoQueryError("skip and limit must not be negative", asked=min(skip, limit or 0))
    plan: Plan = Scan(_ROWS)
    if filters is not None:
        plan = Match(plan, parse_filter(filters))
    if sort:
        plan = Sort(plan, parse_sort(sort))
    if skip:
        plan = Skip(plan, skip)
    if limit is not None:
        plan = Limit(plan, limit)
    if schema.fields:
        plan = with_names(plan, names_with_dots(schema))
        check_fields(plan, {_ROWS: schema})
    return plan


def _split(plan: Plan, resource: XResource) -> tuple[Plan, Plan]:
    from xrepo_nb.query.splitting import split

    found = split(plan, resource.capabilities)
    return found.native, found.residual


def _finished(residual: Plan, batches: Sequence[Table], schema: Schema) -> list[dict[str, Any]]:
    if isinstance(residual, Scan):
        return [document for batch in batches for document in batch.documents]
    from xrepo_nb.engines.select import ready

    inputs = dict.fromkeys(residual.sources(), Table.joined(batches, schema))
    return list(ready(residual, inputs).collect().documents)
