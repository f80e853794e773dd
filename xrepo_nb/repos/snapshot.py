"""ResourceSnapshot: a MaterializedRepo of what a resource held when it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from xrepo_nb.core.offload import offload
from xrepo_nb.core.progress import progress
from xrepo_nb.governance.identity import ANONYMOUS, Identity
from xrepo_nb.query.plan import Scan
from xrepo_nb.repos.connected import ConnectedRepo
from xrepo_nb.repos.execution import execute, gather
from xrepo_nb.repos.loading import Loaded, load
from xrepo_nb.repos.materialized import MaterializedRepo
from xrepo_nb.repos.metadata import RepoMetadata
from xrepo_nb.resources.base import XResource
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

T = TypeVar("T")


class ResourceSnapshot(MaterializedRepo[T]):
    """The rows of a resource's collection, read into memory; `refresh()` reads them anew.

    Changes stay in memory: the resource is not written to, and a refresh drops them.
    """

    if TYPE_CHECKING:  # plain attributes: Pydantic's private ones are slow to read
        _origin: ConnectedRepo[Any]
        _wanted: Schema

    def __init__(
        self,
        origin: ConnectedRepo[Any],
        loaded: Loaded,
        model_class: type[T] | None = None,
        *,
        wanted: Schema | None = None,
        name: str | None = None,
        metadata: RepoMetadata | None = None,
    ) -> None:
        super().__init__(
            model_class=model_class, name=name or origin.metadata.name, metadata=metadata, loaded=loaded
        )
        self._origin, self._resource = origin, origin.source
        self._wanted = wanted or origin._schema
        self.metadata.resource_name = origin.source.name

    @classmethod
    async def of_resource(
        cls,
        resource: XResource,
        collection: str | None,
        schema: Schema | Mapping[str, Any],
        model_class: type[Any] | None = None,
        **options: Any,
    ) -> ResourceSnapshot[Any]:
        """Reads the collection, and brings it to the schema; `options` go to the repo."""
        known = Schema.of(schema)
        held = (await resource.describe(collection)).select(known.names)
        held = held.replace(primary_key=known.primary_key) if held.fields else known
        origin: ConnectedRepo[Any] = ConnectedRepo(held, resource, collection=collection)
        key, path = options.pop("primary_key", None), options.pop("path", None)
        table = await _read(origin)
        loaded = await offload(load, known, table, model_class, primary_key=key, path=path)
        stated = resource.stated(known) if await _states(resource, collection) else None
        loaded = replace(loaded, closed=origin._closed, stated=stated)
        return cls(origin, loaded, model_class, wanted=known, **options)

    async def _refreshed(self, identity: Identity) -> None:
        table = await _read(self._origin)
        loaded = await offload(load, self._wanted, table, self._model_class, primary_key=self._key)
        await self._put(loaded)


async def _states(resource: XResource, collection: str | None) -> bool:
    """Whether the source states the types of the collection, whatever its rows hold."""
    if not resource.capabilities.inferred:
        return True
    return resource.capabilities.lazy and (await resource.table(collection)).untyped is None


async def _read(origin: ConnectedRepo[Any]) -> Table:
    """All rows of the collection, rules aside."""
    name = origin.metadata.name
    with progress(f"reading {name}"):
        opened = {name: await origin._open(ANONYMOUS)}
        plan, inputs = await gather(Scan(name), opened, {name: origin})
        return (await execute(plan, inputs)).table
