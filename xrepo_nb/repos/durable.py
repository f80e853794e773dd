"""DurableFile: a MaterializedRepo's rows in a DuckDB file, every change on disk when acknowledged.

Table `data` holds the rows as typed columns (mixed ones as encoded text), `journal` the changes since
it was last written, `about` the schema. Loading replays the journal; a long one is written into `data`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoConnectionError, XRepoValidationError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.repos.encoding import decode, encode
from xrepo_nb.repos.loading import Loaded
from xrepo_nb.repos.storage import Edit, Storage
from xrepo_nb.schema.frames import frame_of
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import MOMENT, Field

if TYPE_CHECKING:
    import duckdb

_FORMAT = 1
_LONG = 10_000
"""Changes in the journal beyond which loading writes the rows anew."""


class DurableFile:
    """The file. One process writes it at a time; DuckDB holds a lock on it while it is open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def load(self) -> Loaded | None:
        """What the file holds, the journal replayed; None for a new file. Blocking."""
        connection = self._connect()
        tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
        if not tables:
            return None
        if "about" not in tables:
            raise XRepoConfigurationError(
                f"{self.path.name} is a DuckDB file of another kind",
                asked=self.path.name,
                hint="open it by itself",
            )
        about = self._about(connection)
        schema = _schema(about["schema"]).replace(name=about["name"], primary_key=tuple(about["key"]))
        frame = _decoded(
            pl.DataFrame(connection.sql("SELECT * FROM data").to_arrow_table()), schema, about["dtypes"]
        )
        loaded = Loaded(
            frame,
            schema,
            tuple(about["key"]),
            about["closed"],
            file=self,
            declared=frozenset(about["declared"]),
            stated=schema if about["closed"] else None,
        )
        changes = connection.execute("SELECT change FROM journal ORDER BY number").fetchall()
        if not changes:
            return loaded
        loaded = _replayed(loaded, [decode(json.loads(change)) for (change,) in changes])
        return self._written(loaded) if len(changes) > _LONG else loaded

    def start(self, loaded: Loaded) -> Loaded:
        """Makes rows all that the file holds. Blocking."""
        with self._lock:
            return self._written(replace(loaded, file=self))

    def append(self, edits: Sequence[Edit]) -> None:
        """Makes changes durable: they are on disk when this returns. Blocking."""
        change = json.dumps(encode([[edit.id, edit.document] for edit in edits]), ensure_ascii=False)
        with self._lock:
            connection = self._connect()
            connection.execute("INSERT INTO journal VALUES (nextval('numbers'), ?)", [change])

    def close(self) -> None:
        """Closes the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _connect(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            import duckdb

            self.path.parent.mkdir(parents=True, exist_ok=True)
            options: dict[str, Any] = {
                "enable_external_access": "false",
                "python_enable_replacements": "false",
            }
            connection = None
            try:
                connection = duckdb.connect(str(self.path), config=options)
                connection.execute("SET lock_configuration = true")
            except duckdb.Error as error:
                if connection is not None:
                    connection.close()
                raise XRepoConnectionError(
                    f"{self.path.name} cannot be opened: {type(error).__name__}",
                    asked=self.path.name,
                    hint="it is open elsewhere (close that repo first), or no DuckDB file",
                ) from None
            self._connection = connection
        return self._connection

    def _about(self, connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
        rows = connection.execute("SELECT text FROM about").fetchall()
        about: dict[str, Any] = json.loads(rows[0][0]) if rows else {}
        if about.get("format") != _FORMAT:
            raise XRepoValidationError(
                f"{self.path.name} was written by another version", asked=self.path.name
            )
        return about

    def _written(self, loaded: Loaded) -> Loaded:
        """The rows as the file's base, its journal empty, in one transaction."""
        connection = self._connect()
        encoded = _encoded(loaded.frame, loaded.schema)
        about = json.dumps(
            {
                "format": _FORMAT,
                "schema": [_described(field) for field in loaded.schema.fields],
                "name": loaded.schema.name,
                "dtypes": _dtypes(loaded.frame),
                "key": list(loaded.key),
                "closed": loaded.closed,
                "declared": sorted(loaded.declared),
            }
        )
        connection.execute("BEGIN")
        try:
            connection.execute("CREATE OR REPLACE SEQUENCE numbers")
            connection.execute("CREATE OR REPLACE TABLE about (text VARCHAR)")
            connection.execute("INSERT INTO about VALUES (?)", [about])
            connection.register("rows_to_keep", encoded.to_arrow())
            connection.execute("CREATE OR REPLACE TABLE data AS SELECT * FROM rows_to_keep")
            connection.unregister("rows_to_keep")
            connection.execute("CREATE OR REPLACE TABLE journal (number BIGINT, change VARCHAR)")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        return loaded


def _replayed(loaded: Loaded, changes: list[Any]) -> Loaded:
    storage = Storage(loaded.frame, loaded.schema, loaded.key)
    for change in changes:
        edits = []
        for record_id, document in change:
            known = object() if not loaded.key else _tupled(record_id)
            edits.append(Edit(known, document, storage.revision(known)))
        storage.apply(edits)
    table = storage.table()
    return replace(loaded, frame=table.frame, schema=table.schema)


def _tupled(value: Any) -> Any:
    return tuple(_tupled(item) for item in value) if isinstance(value, list | tuple) else value


def _encoded(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The frame in types that DuckDB takes and gives back unchanged; columns named by place."""
    columns = [_stored(frame.get_column(f.name)).alias(f"c{n}") for n, f in enumerate(schema.fields)]
    return pl.DataFrame(columns or [pl.Series("c", [None] * frame.height, dtype=pl.Boolean)])


def _stored(column: pl.Series) -> pl.Series:
    dtype = column.dtype
    if _is_native(dtype):
        return column
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    if dtype.is_temporal():
        return column.to_physical()
    absent = MISSING if dtype == pl.Object else None
    texts = [None if v is absent else json.dumps(encode(v), ensure_ascii=False) for v in column.to_list()]
    return pl.Series(column.name, texts, dtype=pl.String)


def _is_native(dtype: Any) -> bool:
    if isinstance(dtype, pl.Struct):
        return bool(dtype.fields) and all(_is_native(field.dtype) for field in dtype.fields)
    if isinstance(dtype, pl.List):
        return _is_native(dtype.inner)
    return dtype.is_numeric() or dtype in (
        pl.String,
        pl.Boolean,
        pl.Binary,
        pl.Date,
        MOMENT,
    )


def _decoded(found: pl.DataFrame, schema: Schema, dtypes: str) -> pl.DataFrame:
    wanted = _schema_of_dtypes(dtypes)
    columns = [
        _restored(found.get_column(f"c{n}").alias(f.name), wanted.get(f.name, pl.Object()))
        for n, f in enumerate(schema.fields)
    ]
    return frame_of(columns)


def _restored(column: pl.Series, dtype: Any) -> pl.Series:
    """The column that `_stored` was given."""
    scalar = isinstance(dtype, pl.Categorical | pl.Enum) or dtype.is_temporal()
    if scalar or _is_native(dtype):
        return column.cast(dtype)
    absent = MISSING if dtype == pl.Object else None
    values = [absent if text is None else decode(json.loads(text)) for text in column.to_list()]
    return pl.Series(column.name, values, dtype=dtype)


def _dtypes(frame: pl.DataFrame) -> str:
    """The exact dtypes of the typed columns, as text: those of an empty Arrow file."""
    import base64

    typed = frame.select(pl.exclude(pl.Object)).clear()
    return base64.b64encode(typed.write_ipc(None).getvalue()).decode()


def _schema_of_dtypes(text: str) -> pl.Schema:
    import base64
    from io import BytesIO

    return pl.read_ipc(BytesIO(base64.b64decode(text))).schema


def _described(field: Field) -> dict[str, Any]:
    return {"name": field.name, **field.to_dict(), "absence": field.absence}


def _schema(given: list[dict[str, Any]]) -> Schema:
    fields = []
    for info in given:
        rest = {name: value for name, value in info.items() if name != "name"}
        fields.append(Field.from_dict(info["name"], rest))
    return Schema(tuple(fields))
