"""XInspector: what a source holds, as schemas and models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from xrepo_nb.core.closing import closing
from xrepo_nb.core.errors import XRepoConfigurationError
from xrepo_nb.core.offload import offload
from xrepo_nb.core.prototype import XObjPrototype
from xrepo_nb.query.plan import Limit, Plan, Scan
from xrepo_nb.resources.base import ScanRequest, XResource
from xrepo_nb.resources.running import reading
from xrepo_nb.schema.discovery import FEW, Seen, refers_to, with_enums
from xrepo_nb.schema.join_config import JoinConfig
from xrepo_nb.schema.merge import merge_schemas, short_names
from xrepo_nb.schema.models import build_model
from xrepo_nb.schema.naming import class_name
from xrepo_nb.schema.report import InferenceReport
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

SAMPLE = 100_000
"""Rows looked at in a larger source."""

_TYPED_SAMPLE = 10_000
"""Rows fetched from a server or database that knows its own types: enough for the report."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A field that seems to name records of another collection."""

    field: str
    collection: str
    key: str


@dataclass(frozen=True, slots=True)
class _Discovery:
    """What discovering a collection came to; `categories` are text fields of few values."""

    schema: Schema
    report: InferenceReport
    categories: frozenset[str]


class XInspector:
    """Discovers schemas, keys and types of a resource's collections, and makes models of them.

    What was discovered is kept; `refresh=True` looks again. The resource is connected if need be.

    >>> import asyncio
    >>> from xrepo_nb.resources.memory import MemoryResource
    >>> inspector = XInspector(MemoryResource([{"id": 1, "name": "Ada"}], collection="users"))
    >>> User = asyncio.run(inspector.generate_model("users"))
    >>> User(id=2, name="Bo"), inspector.report("users").rows
    (User(id=2, name='Bo'), 1)
    """

    def __init__(self, resource: XResource) -> None:
        self.resource = resource
        self._found: dict[tuple[str, int, bool], _Discovery] = {}
        self._reports: dict[str, InferenceReport] = {}

    def __repr__(self) -> str:
        return f"<XInspector of {self.resource!r}>"

    async def discover_schema(
        self,
        collection: str | None = None,
        *,
        sample: int = SAMPLE,
        enums: bool = False,
        refresh: bool = False,
    ) -> Schema:
        """The schema of a collection; of the only one without a name.

        The source's own description, completed by what its rows show: all of them up to `sample`,
        else the first `sample`, which then stands in `schema["sampled"]` and in the report. The
        primary key is the declared one, otherwise a column without nulls and repetitions that is
        named like one (`id`, `user_id`) or stands first. With `enums`, text fields of few values
        list them. Raises `XRepoNotFoundError` for an unknown collection.
        """
        return (await self._discovery(collection, sample, enums, refresh)).schema

    async def discover_all(self, *, sample: int = SAMPLE) -> dict[str, Schema]:
        """The schemas of all collections, by name."""
        names = await self._names()
        return {name: await self.discover_schema(name, sample=sample) for name in names}

    def report(self, collection: str | None = None) -> InferenceReport:
        """What discovering saw: types, nulls, what was changed or refused. No I/O.

        Raises `XRepoConfigurationError` when the collection has not been discovered.
        """
        only = next(iter(self._reports)) if len(self._reports) == 1 else None
        name = collection if collection in self._reports else only
        if name is None:
            raise XRepoConfigurationError(
                "no such collection has been discovered",
                asked=collection,
                exists=self._reports,
                hint="await inspector.discover_schema(...) first",
            )
        return self._reports[name]

    async def generate_model(
        self,
        collection: str | None = None,
        *,
        name: str | None = None,
        enums: bool = False,
        sample: int = SAMPLE,
    ) -> type[XObjPrototype]:
        """The Pydantic model of a collection's records: `users` gives `User`, unless `name` is given.

        A resource of one collection takes any name for it. With `enums`, text fields of few values
        are `Literal`. Such fields are no part of a record's fuzzy text.
        """
        found = await self._discovery(collection, sample, enums)
        name = name or collection or found.schema.name
        return build_model(found.schema, name, enums=enums, categories=found.categories)

    async def generate_joined_model(
        self,
        schemas: Mapping[str, Schema | Mapping[str, Any]],
        join_config: Mapping[str, Any] | JoinConfig,
        *,
        name: str | None = None,
        enums: bool = False,
    ) -> type[XObjPrototype]:
        """The model of a join's records: fields take their source's name as prefix, join keys do not."""
        merged = merge_schemas(schemas, join_config)
        name = name or "".join(map(class_name, short_names(schemas).values())) + "View"
        return build_model(merged, name, enums=enums)

    async def foreign_keys(self, collection: str | None = None) -> list[ForeignKey]:
        """Fields named and typed like the primary key of another collection of the resource.

        `carrier` for `airlines.carrier`, `user_id` for `users.id`. Goes by names, not by values.
        """
        own = await self._collection(collection)
        schemas = await self.discover_all()
        return [
            ForeignKey(field.name, other, schema.primary_key[0])
            for field in schemas[own].fields
            for other, schema in schemas.items()
            if other != own and refers_to(field, other, schema)
        ]

    async def _names(self) -> list[str]:
        if not await self.resource.validate_connection():
            await self.resource.connect()
        return await self.resource.list_collections_or_tables()

    async def _collection(self, asked: str | None) -> str:
        names = await self._names()
        if asked in names:
            return asked
        if len(names) == 1:
            return names[0]
        if asked is not None or not names:
            await self.resource.describe(asked)  # says in the source's own words what there is
        raise XRepoConfigurationError(
            f"{self.resource.name} has {len(names)} collections", asked=asked, exists=names, hint="name one"
        )

    async def _discovery(
        self, collection: str | None, sample: int, enums: bool, refresh: bool = False
    ) -> _Discovery:
        name = await self._collection(collection)
        key = (name, sample, enums)
        if refresh or key not in self._found:
            self._found[key] = await self._discovered(name, sample, enums)
        self._reports[name] = self._found[key].report
        return self._found[key]

    async def _discovered(self, name: str, sample: int, enums: bool) -> _Discovery:
        described = await self.resource.describe(name)
        described = described if described.name else described.replace(name=name)
        table, whole = await self._rows(name, sample, described)
        known: Mapping[str, InferenceReport] = getattr(self.resource, "reports", {})
        seen = await offload(Seen.of, table, described, whole, known.get(name))
        schema = seen.schema
        if not schema.primary_key:
            schema = schema.replace(primary_key=await offload(seen.candidate_key))
        few = await offload(seen.few_valued)
        if enums:
            schema = with_enums(schema, await self._few_valued(name, seen, few))
        return _Discovery(schema, seen.report, frozenset(few))

    async def _rows(self, name: str, sample: int, described: Schema) -> tuple[Table, bool]:
        """The first `sample` rows, and whether these are all."""
        if self.resource.capabilities.lazy:
            with reading(name):
                frame = await offload((await self.resource.table(name)).lazy.head(sample + 1).collect)
            return Table(frame=frame.head(sample), schema=described), frame.height <= sample
        if described.fields:
            sample = min(sample, _TYPED_SAMPLE)
        native = "Limit" in self.resource.capabilities.stages
        plan: Plan = Limit(Scan(name), sample + 1) if native else Scan(name)
        batches: list[Table] = []
        async with closing(self.resource.scan(name, ScanRequest(plan))) as scan:
            async for batch in scan:
                batches.append(batch)
                if sum(map(len, batches)) > sample:
                    break
        whole = sum(map(len, batches)) <= sample
        return await offload(lambda: Table.joined(batches, described).slice(0, sample)), whole

    async def _few_valued(
        self, name: str, seen: Seen, found: dict[str, tuple[Any, ...]]
    ) -> dict[str, tuple[Any, ...]]:
        """The values of fields that have few in all rows, where these can be looked through, of
        those `found` to have few in the rows seen."""
        if seen.whole:
            return found
        if not self.resource.capabilities.lazy:
            return {}
        lazy = (await self.resource.table(name)).lazy
        columns = (await offload(lazy.select(pl.col(list(found)).unique().implode()).collect)).row(0)
        values = {
            name: sorted(v for v in column if v is not None)
            for name, column in zip(found, columns, strict=True)
        }
        return {name: tuple(all_of) for name, all_of in values.items() if len(all_of) <= FEW}
