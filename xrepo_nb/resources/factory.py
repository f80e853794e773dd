"""Sources by name, and sources by what one has in hand."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, SecretStr

from xrepo_nb.core.entry_points import EntryPoints
from xrepo_nb.core.errors import XRepoConfigurationError, XRepoUnsupportedError, an, closest
from xrepo_nb.resources.base import XResource
from xrepo_nb.resources.paths import extension, is_pattern, must_say
from xrepo_nb.resources.selection import split_pattern
from xrepo_nb.resources.tables import is_data
from xrepo_nb.resources.urls import SCHEMES, URL, below, has_wildcard, is_web, located, scheme, shown

SOURCES = EntryPoints(
    "xrepo_nb.resources",
    {
        "csv": "xrepo_nb.resources.csv:CSVResource",
        "json": "xrepo_nb.resources.json:JSONResource",
        "ndjson": "xrepo_nb.resources.ndjson:NDJSONResource",
        "parquet": "xrepo_nb.resources.parquet:ParquetResource",
        "folder": "xrepo_nb.resources.folder:FolderResource",
        "memory": "xrepo_nb.resources.memory:MemoryResource",
        "sqlite": "xrepo_nb.resources.sqlite:SQLiteResource",
        "duckdb": "xrepo_nb.resources.duckdb:DuckDBResource",
    },
)
"""Sources by name, ours and those of others."""

_SYNONYMS = {
    "rest": "rest_api",
    "postgres": "postgresql",
    "jsonl": "ndjson",
    "http": "rest_api",
    "https": "rest_api",
}

_BY_EXTENSION = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson",
    ".parquet": "parquet", ".pq": "parquet", ".db": "sqlite", ".sqlite": "sqlite", ".sqlite3": "sqlite",
    ".duckdb": "duckdb",
}  # fmt: skip

Maker = Callable[..., XResource]
_registered: dict[str, Maker] = {}


class Target(NamedTuple):
    """What somebody opens: a source, and which of its collections; None is its only one."""

    resource: XResource
    collection: str | None


class ResourceFactory:
    """Makes sources by name. Touches no disk and no network: `connect` does.

    >>> ResourceFactory.create("csv", file_path="/data/products.csv")
    <CSVResource /data/products.csv>
    """

    @classmethod
    def create(cls, name: str, **config: Any) -> XResource:
        """The source of that name with its options.

        Raises `XRepoConfigurationError` for a name that nothing is registered under, and for
        options that the source does not take.
        """
        make = _maker(name)
        try:
            inspect.signature(make).bind(**config)
        except TypeError as error:
            raise _misfit(name, make, config) from error
        return make(**config)

    @classmethod
    def register(cls, name: str, maker: Maker) -> None:
        """Makes `create(name, ...)` call `maker`, for this process; packages use the entry points."""
        _registered[_SYNONYMS.get(name, name)] = maker

    @classmethod
    def names(cls) -> list[str]:
        """The names that `create` takes. Scans the installed packages: a few milliseconds once."""
        return sorted({*SOURCES.names(), *_registered})


def resource_for(target: Any, **config: Any) -> Target:
    """The source and collection that `target` means; touches no disk and no network.

    A path goes by its extension, one without by what a folder holds; a pattern is one
    collection of all files that match. So does a URL of a remote file, `s3://bucket/a.parquet`, and a
    `UPath`. A URI names the kind: `sqlite:///planes.db?table=planes` (three slashes: relative, four:
    absolute), `file:///data/flights.parquet`. A list of dicts
    and frames become a `MemoryResource`, as does a dict of several. A source stands for itself,
    alone or as `(source, collection)`. `config` goes to the source.

    >>> resource_for("data/flights.parquet")
    Target(resource=<ParquetResource data/flights.parquet>, collection=None)
    """
    collection = config.pop("collection", None)
    if isinstance(target, XResource):
        return Target(target, collection)
    if isinstance(target, tuple) and len(target) == 2 and isinstance(target[0], XResource):
        return Target(target[0], target[1])
    target, options = located(target)
    if options:
        config = {"storage_options": options} | config
    if isinstance(target, str) and (uri := URL.match(target)):
        return _from_uri(target, uri, collection, config)
    if isinstance(target, str | Path):
        must_say("the path", target)
        return Target(_from_path(Path(target), config), collection)
    return Target(_from_data(target, collection, config), collection)


def DatabaseResource(database: str | Path | SecretStr | None) -> XResource:
    """The source that a connection string names, which manages its own connections.

    Takes `XSettings().database` as it is, a secret. Touches no disk and no network. Raises
    `XRepoConfigurationError` when nothing is set.

    >>> DatabaseResource("sqlite:///app.db").connection_type
    'sqlite'
    """
    location = database.get_secret_value() if isinstance(database, SecretStr) else database
    if not location:
        raise XRepoConfigurationError(
            "no database is named", asked="database", hint='set XREPO_DATABASE, as in "sqlite:///app.db"'
        )
    return resource_for(location).resource


def _from_uri(target: str, uri: re.Match[str], collection: str | None, config: dict[str, Any]) -> Target:
    scheme = uri[1].lower()
    name = _SYNONYMS.get(scheme, scheme)
    if _is_remote(target, name):
        return Target(_from_url(target, config), collection)
    if name not in _FILES and name != "file":
        return Target(ResourceFactory.create(name, uri=target, **config), collection)
    location, _, query = target[uri.end() :].partition("?")
    must_say(f"the path after {scheme}://", location.strip("/"))
    options: dict[str, Any] = {key: _FLAGS.get(value, value) for key, value in parse_qsl(query)}
    collection = options.pop("table", options.pop("collection", collection))
    config = options | config
    if name == "file":
        return Target(_from_path(Path("/" + unquote(location).lstrip("/")), config), collection)
    return Target(
        ResourceFactory.create(name, file_path=unquote(location.removeprefix("/")), **config), collection
    )


_FILES = {"csv", "json", "ndjson", "parquet", "sqlite", "duckdb"}
_FLAGS = {"true": True, "false": False}


def _is_remote(target: str, name: str) -> bool:
    """Whether the URL names remote files. One of the web may also be an endpoint: it needs a known
    extension, or a wildcard, unless there is no source of endpoints."""
    if scheme(target) not in SCHEMES:
        return False
    if not is_web(target):
        return True
    return has_wildcard(target) or extension(below(target)) in _BY_EXTENSION or not _is_known(name)


def _from_url(url: str, config: dict[str, Any]) -> XResource:
    must_say(f"the path after {scheme(url)}://", url.partition("://")[2].strip("/"))
    name = _BY_EXTENSION.get(extension(below(url)))
    if name in ("sqlite", "duckdb"):
        raise XRepoUnsupportedError(
            f"{an(name)} database is opened where its file is, not by a URL",
            asked=name,
            hint="fetch the file, and open the copy",
        )
    if name is not None:
        return ResourceFactory.create(name, file_path=url, **config)
    if has_wildcard(url):
        return ResourceFactory.create("folder", **{"root": None, "pattern": url} | config)
    if is_web(url):
        raise XRepoConfigurationError(
            f"the name of {shown(url)} does not tell the format",
            asked=shown(url),
            hint="name the format: ResourceFactory.create('csv', file_path=...)",
        )
    return ResourceFactory.create("folder", **{"root": url} | config)


def _from_path(path: Path, config: dict[str, Any]) -> XResource:
    name = _BY_EXTENSION.get(extension(path))
    if name is not None:
        return ResourceFactory.create(name, file_path=path, **config)
    if is_pattern(path):
        root, pattern = split_pattern(path)
        return ResourceFactory.create("folder", **{"root": root, "pattern": pattern} | config)
    return ResourceFactory.create("folder", **{"root": path} | config)


def _from_data(target: Any, collection: str | None, config: dict[str, Any]) -> XResource:
    if is_data(target):
        named = {"collection": collection} if collection else {}
        return ResourceFactory.create("memory", data=target, **named, **config)
    if isinstance(target, Mapping) and target and all(map(is_data, target.values())):
        if any(map(_is_column, target.values())):
            raise XRepoConfigurationError(
                "cannot open a dict of columns", asked="dict", hint="make a frame of it: pl.DataFrame(data)"
            )
        return ResourceFactory.create("memory", data=target, **config)
    waiting = isinstance(target, Awaitable)
    raise XRepoConfigurationError(
        f"cannot open {an(type(target).__name__)}",
        asked=type(target).__name__,
        exists=["path", "URI", "list of dicts", "Polars, pandas or Arrow frame", "dict of those", "source"],
        hint="write `await` before what gives the repo" if waiting else None,
    )


def _is_column(values: Any) -> bool:
    """Whether it holds values and not records."""
    return (
        isinstance(values, list | tuple) and bool(values) and not isinstance(values[0], Mapping | BaseModel)
    )


def _is_known(name: str) -> bool:
    return name in _registered or name in SOURCES.names()


def _maker(name: str) -> Maker:
    name = _SYNONYMS.get(name, name)
    if name in _registered:
        return _registered[name]
    maker: Maker | None = SOURCES.load(name)
    if maker is None:
        names = ResourceFactory.names()
        door = f"packages add kinds by the entry-point group {SOURCES.group}"
        raise XRepoConfigurationError(
            f"there is no source of kind {name!r}",
            asked=name,
            exists=names,
            hint=None if closest(name, names) else door,
        )
    return maker


def _misfit(name: str, maker: Maker, config: Mapping[str, Any]) -> XRepoConfigurationError:
    taken = inspect.signature(maker).parameters
    unknown = next((key for key in config if key not in taken), None)
    if unknown is not None:
        return XRepoConfigurationError(
            f"{an(name)} source has no option {unknown!r}", asked=unknown, exists=taken
        )
    missing = [key for key, p in taken.items() if p.default is p.empty and key not in config]
    return XRepoConfigurationError(f"{an(name)} source needs {', '.join(missing)}", exists=taken)
