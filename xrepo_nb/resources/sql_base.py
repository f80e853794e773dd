"""What the SQL file sources share: leased connections, deadlines, batches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from xrepo_nb.core.errors import (
    XRepoConfigurationError,
    XRepoConnectionError,
    XRepoError,
    XRepoNotFoundError,
    XRepoQueryError,
)
from xrepo_nb.core.offload import offload
from xrepo_nb.core.settings import settings
from xrepo_nb.query.plan import Plan, Stage
from xrepo_nb.resources.base import ScanRequest, XResource
from xrepo_nb.resources.paths import must_say
from xrepo_nb.resources.sql_connections import Connections, interruptible
from xrepo_nb.resources.sql_files import Mark, database_file, mark_of, must_be_the_file
from xrepo_nb.resources.sql_finishing import finished, parted, step, ungrouped
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

    from xrepo_nb.engines.sql.render import Rendered

T = TypeVar("T")
Batches = Generator[Table, None, None]


class SQLFileResource(XResource):
    """A database in one file, read in threads.

    Each operation leases a connection of its own, so that several tasks may read at once. A
    cancelled or late operation is interrupted in the driver, and its connection is free again
    before the caller goes on. A subclass supplies the driver calls.
    """

    dialect: ClassVar[str]

    def __init__(
        self,
        file_path: str | Path,
        *,
        read_only: bool = False,
        root: str | Path | None = None,
        timeout: float | None = None,
    ) -> None:
        for option, given in (("file_path", file_path), ("root", root)):
            must_say(option, given)
        self.path = Path(file_path)
        self.name = self.path.stem
        self._root = root
        self.read_only = read_only
        self.timeout = timeout or settings().timeout
        self._connections = Connections(partial(self._translating, self._another))
        self._mark: Mark | None = None
        self._schemas: dict[str, Schema] = {}
        self._rows: dict[str, str | None] = {}

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.path.name!r}, {'open' if self._connections.is_open else 'closed'})"
        )

    # What a driver supplies; all of it blocks.

    @abstractmethod
    def _new_connection(self) -> Any:
        """A connection for one operation at a time; raises `XRepoConnectionError`."""

    @abstractmethod
    def _free(self) -> None:
        """Frees what all connections share."""

    @abstractmethod
    def _tables(self, connection: Any) -> list[str]:
        """The names of tables and views."""

    @abstractmethod
    def _describe(self, connection: Any, table: str) -> Schema:
        """The schema of a table that exists."""

    @abstractmethod
    def _read(self, connection: Any, rendered: Rendered, size: int) -> Batches:
        """The batches of a statement's rows, at least one, perhaps empty."""

    @abstractmethod
    def _row(self, connection: Any, table: str) -> str | None:
        """The table's column that tells how rows were added, if it has one."""

    @abstractmethod
    def _from(self, schema: Schema, row: str | None) -> str | Expression:
        """The table, with that column, as the renderer takes it."""

    @abstractmethod
    def _translated(self, error: Exception) -> XRepoError | None:
        """The driver's error as ours, or None when it is not the driver's."""

    @abstractmethod
    def _is_inexact(self, error: Exception) -> bool:
        """Whether the driver's error is of values that it cannot reduce exactly: a sum past 64 bits."""

    # The contract.

    @property
    def place(self) -> Path:
        return self.path

    async def connect(self) -> None:
        if not self._connections.is_open:
            self.path = await offload(database_file, self.path, self._root)
            async with self._connections.leased() as connection:
                await self._run(connection, self._tables, connection)
                self._mark = await offload(mark_of, self.path)
                self._connections.is_open = True

    async def close(self) -> None:
        self._connections.is_open = False
        await offload(self._close)

    async def validate_connection(self) -> bool:
        if not self._connections.is_open or not await offload(self.path.exists):
            return False
        try:
            async with self._leased() as connection:
                await self._run(connection, self._listed, connection)
        except Exception:
            return False
        return True

    async def list_collections_or_tables(self) -> list[str]:
        async with self._leased() as connection:
            return await self._run(connection, self._listed, connection)

    async def describe(self, collection: str | None = None) -> Schema:
        async with self._leased() as connection:
            return await self._run(connection, self._described, connection, collection)

    async def scan(self, collection: str | None, request: ScanRequest) -> AsyncIterator[Table]:
        timeout, size = request.timeout or self.timeout, request.batch_size
        async with self._leased() as connection:
            batches = self._batches(connection, collection, request)
            try:
                more = True
                while more:
                    found, more = await self._run(connection, step, batches, size, timeout=timeout)
                    for batch in found:
                        yield batch
            finally:
                batches.close()

    def native_text(self, collection: str | None, plan: Plan, schema: Schema) -> str | None:
        """The SQL of the part of the plan that the database runs."""
        name = collection or schema.name or next(iter(self._schemas), "")
        known = self._schemas.get(name) or schema.replace(name=name)
        return parted(plan, self._renderer(known, None))[1].sql

    def _batches(self, connection: Any, collection: str | None, request: ScanRequest) -> Batches:
        with self._on_table(connection, collection) as schema:
            render = self._renderer(schema, self._rows[schema.name])
            native, rendered, above = parted(request.plan, render)
            given = False
            try:
                for batch in self._parts(connection, request, rendered, above):
                    given = True
                    yield batch
                return
            except Exception as error:
                fewer, more = ungrouped(native, above)
                if given or fewer is native or not self._is_inexact(error):
                    raise
            yield from self._parts(connection, request, render(fewer), more)

    def _parts(
        self, connection: Any, request: ScanRequest, rendered: Rendered, above: Sequence[Stage]
    ) -> Batches:
        """The rows of the database's part, and what the stages above make of them."""
        batches = self._read(connection, rendered, request.batch_size)
        try:
            if above:
                [source] = request.plan.sources()
                yield from finished(source, batches, above, request.batch_size)
            else:
                yield from batches
        finally:
            batches.close()

    def _renderer(self, schema: Schema, row: str | None) -> Callable[[Plan], Rendered]:
        from xrepo_nb.engines.sql.render import render

        table = self._from(schema, row)

        def rendered(plan: Plan) -> Rendered:
            [source] = plan.sources()
            order = {source: row} if row is not None else {}
            return render(plan, self.dialect, {source: schema}, tables={source: table}, order=order)

        return rendered

    # Leases.

    def _another(self) -> Any:
        must_be_the_file(self.path, self._mark)
        return self._new_connection()

    def _leased(self) -> AbstractAsyncContextManager[Any]:
        if not self._connections.is_open:
            raise XRepoConnectionError(f"{self.path.name} is not connected", hint="await resource.connect()")
        return self._connections.leased()

    async def _run(
        self,
        connection: Any,
        work: Callable[..., T],
        *args: Any,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver is to be interrupted, not only the wait
    ) -> T:
        """Runs blocking `work` on the leased connection; leaves only when the driver is done with it."""
        translated = partial(self._translating, work, *args)
        return await interruptible(connection, translated, timeout or self.timeout, self.path.name)

    def _translating(self, work: Callable[..., T], *args: Any) -> T:
        try:
            return work(*args)
        except Exception as error:
            ours = self._translated(error)
            if ours is None or ours is error:
                raise
            raise ours from None

    def _close(self) -> None:
        self._connections.close()
        self._free()

    # Schemas.

    @contextmanager
    def _on_table(self, connection: Any, collection: str | None) -> Iterator[Schema]:
        """The schema of the collection, as it was described; where what is done with it fits the table no
        more, it is looked whether that is still there."""
        schema = self._known(connection, collection)
        try:
            yield schema
        except Exception as error:
            ours = error if isinstance(error, XRepoError) else self._translated(error)
            if isinstance(ours, XRepoQueryError):
                self._named(connection, collection)
            raise

    def _known(self, connection: Any, collection: str | None) -> Schema:
        known = self._schemas.get(collection) if collection is not None else None
        if known is not None:
            must_be_the_file(self.path, self._mark)
            return known
        name = self._named(connection, collection)
        return self._schemas.get(name) or self._described(connection, name)

    def _described(self, connection: Any, collection: str | None) -> Schema:
        name = self._named(connection, collection)
        schema = self._describe(connection, name).replace(source=self.name)
        self._rows[name] = self._row(connection, name)
        self._schemas[name] = schema
        return schema

    def _listed(self, connection: Any) -> list[str]:
        must_be_the_file(self.path, self._mark)
        return self._tables(connection)

    def _named(self, connection: Any, collection: str | None) -> str:
        names = self._listed(connection)
        if collection is None:
            if len(names) == 1:
                return names[0]
            if not names:
                raise XRepoNotFoundError(
                    f"{self.path.name} holds no tables",
                    exists=names,
                    hint="create one in it first, or open another file",
                )
            raise XRepoConfigurationError(
                f"{self.path.name} holds {len(names)} tables: name one", exists=names, hint="collection=..."
            )
        if collection not in names:
            raise XRepoNotFoundError(f"no table {collection!r}", asked=collection, exists=names)
        return collection
