"""`open` and `join`: from a file, a URI or rows in hand to a repo, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from xrepo_nb.cache import namespace
from xrepo_nb.core.errors import XRepoConfigurationError, text
from xrepo_nb.core.offload import offload
from xrepo_nb.core.progress import progress as reported
from xrepo_nb.core.progress import reporting, silent
from xrepo_nb.governance.rules import ACLRule, parsed_rules
from xrepo_nb.repos.base import XRepo
from xrepo_nb.repos.factory import XRepoFactory
from xrepo_nb.repos.materialized import MaterializedRepo, default_metadata
from xrepo_nb.repos.metadata import RepoMetadata
from xrepo_nb.repos.reading import repo_named
from xrepo_nb.repos.view import ViewRepo
from xrepo_nb.resources.base import XResource
from xrepo_nb.schema.inference import OnReject
from xrepo_nb.schema.report import InferenceReport
from xrepo_nb.schema.schema import Schema


async def open(
    target: Any,
    *,
    collection: str | None = None,
    name: str | None = None,
    model: type[Any] | bool = True,
    schema: Schema | Mapping[str, Any] | None = None,
    materialized: bool | None = None,
    path: str | Path | None = None,
    primary_key: str | Sequence[str] | None = None,
    rules: Sequence[ACLRule | Mapping[str, Any]] = (),
    metadata: RepoMetadata | None = None,
    register: bool = True,
    progress: bool = True,
    **config: Any,
) -> XRepo[Any]:
    """A repo over `target`: a file, folder, pattern, URL, URI, resource, frame or list of dicts.

    In one call: makes the resource and connects it, discovers the schema, generates a model and
    registers it, makes the repo and registers it as `ns.repos.<name>`. Files and databases are
    scanned when asked and never loaded whole, unless `materialized=True` reads them into memory;
    rows in hand are materialised, and with `path` kept in a DuckDB file; `on_reject="report"` leaves
    out those that do not fit, and lists them in `report`. `model=False` gives records as dicts, a
    class gives them as its instances. `rules` are access rules; `config` goes to the resource:
    `storage_options` to the filesystem of a URL. Discovering reads the file's head, a sample or all
    of it, as the source needs; a remote file is fetched.

    Raises `XRepoNotFoundError` for a file or collection that is not there, `XRepoValidationError`
    for one that cannot be read, `XRepoConnectionError` for a server that refuses or does not answer.
    """
    from xrepo_nb.resources.factory import resource_for
    from xrepo_nb.resources.tables import is_data

    if isinstance(target, XRepo):
        return target
    settings = _Settings(name, model, schema, primary_key, rules, metadata)
    if collection is not None:
        text("the name of a collection", collection)
    with _shown(progress), reported(f"opening {name or _label(target)}"):
        if materialized is not False and is_data(target) and not isinstance(target, tuple):
            on_reject = config.pop("on_reject", "raise")
            _no_config(config)
            repo = await settings.over_data(target, path, on_reject)
        else:
            resource, found = await offload(resource_for, target, **config)
            repo = await settings.over_resource(resource, collection or found, materialized, path)
    if register:
        await namespace.register_ns(f"ns.repos.{repo.metadata.name}", repo)
    return repo


def _no_config(config: Mapping[str, Any]) -> None:
    """Rows in hand have no resource to configure: a setting that nobody takes is a mistake."""
    if config:
        asked, own = next(iter(config)), signature(open).parameters
        taken = [*(name for name in own if name not in ("target", "config")), "on_reject"]
        raise XRepoConfigurationError(
            f"open() takes no {asked!r} for rows in hand", asked=asked, exists=taken
        )


@dataclass(slots=True)
class _Settings:
    """What `open` was asked, apart from the target."""

    name: str | None
    model: type[Any] | bool
    schema: Schema | Mapping[str, Any] | None
    primary_key: str | Sequence[str] | None
    rules: Sequence[ACLRule | Mapping[str, Any]]
    metadata: RepoMetadata | None

    def __post_init__(self) -> None:
        model = self.model
        if self.name is not None and not text("the name of a repo", self.name):
            raise XRepoConfigurationError("the name of a repo is empty", asked="name", hint='name="people"')
        if not (isinstance(model, bool) or (isinstance(model, type) and issubclass(model, BaseModel))):
            raise XRepoConfigurationError(
                f"{model!r} is no model",
                asked=repr(model),
                hint="give a Pydantic model, True to generate one, or False for dicts",
            )
        self.rules = parsed_rules(self.rules)

    async def over_data(self, target: Any, path: str | Path | None, on_reject: OnReject) -> XRepo[Any]:
        """The repo over rows in hand."""
        from xrepo_nb.repos.loading import load

        given = self.model if isinstance(self.model, type) else None
        loaded = await offload(
            load,
            self.schema,
            target,
            given,
            primary_key=self.primary_key,
            path=path,
            on_reject=on_reject,
            apart=bool(self.rules or (self.metadata is not None and self.metadata.acl_rules)),
        )
        name = self.name or loaded.schema.name or "data"
        model = await self._model(name, loaded.schema)
        return MaterializedRepo(
            model_class=model, loaded=loaded, metadata=self._metadata(name, model, "memory")
        )

    async def over_resource(
        self, resource: XResource, collection: str | None, materialized: bool | None, path: str | Path | None
    ) -> XRepo[Any]:
        """The repo over a collection of a resource."""
        await resource.connect()
        if collection is None:
            collection = await _only(resource)
        schema, report = await self._schema_of(resource, collection)
        if self.primary_key is not None:
            key = (self.primary_key,) if isinstance(self.primary_key, str) else tuple(self.primary_key)
            schema = schema.replace(primary_key=key)
        name = self.name or collection or schema.name or resource.name
        model = await self._model(name, schema)
        repo = await XRepoFactory.create_from_resource(
            resource,
            model,
            collection,
            materialized if path is None else True,
            schema=schema,
            metadata=self._metadata(name, model, resource.name),
            name=name,
            path=path,
        )
        repo._report = report
        repo._given = Schema.of(self.schema) if self.schema is not None else None
        return repo

    async def _schema_of(
        self, resource: XResource, collection: str | None
    ) -> tuple[Schema, InferenceReport | None]:
        if self.schema is not None:
            return Schema.of(self.schema), None
        from xrepo_nb.resources.inspector import XInspector

        inspector = XInspector(resource)
        return await inspector.discover_schema(collection), inspector.report(collection)

    async def _model(self, name: str, schema: Schema) -> type[Any] | None:
        if isinstance(self.model, type):
            return self.model
        if not self.model:
            return None
        from xrepo_nb.schema.models import build_model
        from xrepo_nb.schema.registry import model_registry

        model = build_model(schema, name)
        model_registry.register(model)
        return model

    def _metadata(self, name: str, model: type[Any] | None, resource: str) -> RepoMetadata:
        made = self.metadata or default_metadata(name, model, resource)
        return made.model_copy(update={"acl_rules": [*made.acl_rules, *self.rules]})


async def _only(resource: XResource) -> str | None:
    """The resource's only collection; raises `XRepoConfigurationError` when it has several."""
    names = await resource.list_collections_or_tables()
    if len(names) > 1:
        raise XRepoConfigurationError(
            f"{resource.name} has {len(names)} collections", exists=names, hint="say which: collection=..."
        )
    return names[0] if names else None


async def join(
    name: str,
    sources: Mapping[str, Any] | Sequence[Any],
    on: Any = None,
    how: str | Mapping[str, str] = "left",
    *,
    left_on: Any = None,
    right_on: Any = None,
    validate: str | Mapping[str, str] | None = None,
    model: type[Any] | None = None,
    materialize: bool = True,
    ttl: float | None = None,
    metadata: RepoMetadata | None = None,
    register: bool = True,
    progress: bool = True,
) -> ViewRepo[Any]:
    """The join of repos as a view, registered as `ns.repos.<name>`.

    `sources` by the name that prefixes their fields: a repo, its name in the namespace, or whatever
    else `open` takes but a path. Each further one is joined to what came before. `on`: the key, a
    list of keys, or `(left, right)` pairs, also written as `left_on` and `right_on`; None puts the
    sources one after another instead. `how`: left, inner, right, outer, semi, anti, asof.
    `validate`: one_to_one, one_to_many, many_to_one.

    Each of these is one for all sources, or a mapping from the name of each but the first to its
    own: `on={"airlines": "carrier", "planes": [("tailnum", "tail")]}`. A left key is a field of the
    first source, or one of a source joined before by its name in the view (`airlines_name`). In the
    view a key keeps its left name; every other field takes its source's as prefix.

    The rows are computed now, and again when a source changes, after `ttl` seconds and on
    `refresh()`; `materialize=False` keeps none.

    Raises `XRepoConfigurationError` for a key that is not there, keys of different types, a source
    without keys, and a view that would read itself; `XRepoQueryError` when `validate` does not hold.
    """
    text("the name of a view", name)
    config = _join_config(on=on, left_on=left_on, right_on=right_on, type=how, validate=validate)
    repos = await _joinable(sources)
    with _shown(progress):
        view = await XRepoFactory._view(
            name,
            repos,
            XRepoFactory._joined(config, name),
            model,
            materialize=materialize,
            ttl=ttl,
            metadata=metadata,
        )
    if register:
        await namespace.register_ns(f"ns.repos.{name}", view)
    return view


def _join_config(**options: Any) -> dict[str, Any]:
    """The options that are given, as the specification writes them; none for a union."""
    given = {option: value for option, value in options.items() if value is not None}
    if given.keys() & {"on", "left_on", "right_on"}:
        return given
    if given != {"type": "left"}:
        raise XRepoConfigurationError(
            "a join needs keys",
            asked="on",
            hint='on="user_id"; without how= and validate= the sources are put one after another',
        )
    return {}


async def _joinable(sources: Mapping[str, Any] | Sequence[Any]) -> dict[str, XRepo[Any]]:
    """The repos of a join by name: those given, those named in the namespace, and new ones over rows."""
    named = sources.items() if isinstance(sources, Mapping) else ((None, source) for source in sources)
    repos: dict[str, XRepo[Any]] = {}
    for name, given in named:
        source = await repo_named(given) if isinstance(given, str) else given
        if not isinstance(source, XRepo):
            source = await open(source, name=name, register=False)
        label = name or source.metadata.name
        if label in repos:
            raise XRepoConfigurationError(
                f"two sources are called {label!r}",
                asked=label,
                hint='name each: {"flights": flights, "origin": airports, "dest": airports}',
            )
        repos[label] = source
    return repos


def _shown(progress: bool) -> AbstractContextManager[Any]:
    return nullcontext() if progress else reporting(silent)


def _label(target: Any) -> str:
    """What progress calls the target: never by a password or token of its URI."""
    from xrepo_nb.resources.urls import file_name, located

    target = located(target).target
    if isinstance(target, str) and "://" in target:
        return file_name(target)
    return Path(target).name if isinstance(target, str | Path) else type(target).__name__
