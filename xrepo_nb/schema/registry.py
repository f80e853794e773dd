"""XRegistry: models by their place in the namespace, with what user interfaces need to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from pydantic import BaseModel

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoNotFoundError, closest, counted
from xrepo_nb.schema.model_schema import schema_of_model
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import Field

M = TypeVar("M", bound=type[BaseModel])

PREFIX = "ns.models."


@dataclass(frozen=True, slots=True)
class UIHint:
    """How a field is shown and edited.

    `widget`: text, textarea, number, checkbox, select, date, time, datetime, duration, json, list,
    group, file. `format` is Python's format specification for its values.
    """

    label: str
    widget: str = "text"
    format: str | None = None
    order: int = 0
    hidden: bool = False
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered model, its schema, hints by field, and what roles may do with it."""

    namespace: str
    model: type[BaseModel]
    schema: Schema
    label: str
    hints: Mapping[str, UIHint]
    permissions: Mapping[str, Sequence[str]] = field(default_factory=dict)


_SHOWN = 10
"""Models that a repr names."""


class XRegistry:
    """Models by namespace path. Registering a path again replaces what stood there.

    >>> registry = XRegistry()
    >>> class User(BaseModel):
    ...     full_name: str
    ...     age: int
    >>> _ = registry.register(User, namespace="ns.models.User", hints={"age": {"label": "Years"}})
    >>> registry.get("User") is User, registry.list(), registry.hint("User", "age").label
    (True, ['ns.models.User'], 'Years')
    >>> registry.hint("User", "full_name")
    UIHint(label='Full name', widget='text', format=None, order=0, hidden=False, description=None)
    """

    def __init__(self) -> None:
        self._entries: dict[str, Registration] = {}

    def register(
        self,
        model: M,
        namespace: str | None = None,
        *,
        label: str | None = None,
        hints: Mapping[str, Mapping[str, Any]] | None = None,
        permissions: Mapping[str, Sequence[str]] | None = None,
    ) -> M:
        """Registers the model, as `ns.models.<class>` unless `namespace` says otherwise; returns it.

        `hints` change what is derived from the schema, field by field; `permissions` name, by
        role, what a user interface may offer (access itself is the repos' ACL).
        """
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise XRepoConfigurationError(
                "only model classes can be registered", hint="generate one: await inspector.generate_model()"
            )
        namespace = namespace or PREFIX + model.__name__
        schema = _schema_of(model)
        entry = Registration(
            namespace,
            model,
            schema,
            label or words(model.__name__),
            derived_hints(schema),
            dict(permissions or {}),
        )
        for name, changes in (hints or {}).items():
            entry = _changed(entry, name, changes)
        self._entries[namespace] = entry
        return model

    def get(self, name: str) -> type[BaseModel]:
        """The model of that path, or of that class name. Raises `XRepoNotFoundError`."""
        return self.entry(name).model

    def entry(self, name: str) -> Registration:
        """All that is known of a model. Raises `XRepoNotFoundError`."""
        found = self._entries.get(name) or self._entries.get(PREFIX + name)
        if found is None:
            short = {path.rpartition(".")[2]: path for path in self._entries}
            near = closest(name.rpartition(".")[2], short)
            raise XRepoNotFoundError(
                f"model {name!r} is not registered",
                asked=name,
                exists=sorted(self._entries),
                hint=f"did you mean {short[near]!r}?" if near else "model_registry.register(model)",
            )
        return found

    def list(self, pattern: str = "*") -> list[str]:
        """The paths that match a pattern such as `ns.models.*`, sorted."""
        return sorted(path for path in self._entries if fnmatchcase(path, pattern))

    def unregister(self, name: str) -> None:
        """Forgets a model. Raises `XRepoNotFoundError`."""
        del self._entries[self.entry(name).namespace]

    def hints(self, name: str) -> dict[str, UIHint]:
        """The hints of a model's fields, in the order to show them."""
        return dict(sorted(self.entry(name).hints.items(), key=lambda item: item[1].order))

    def hint(self, name: str, field: str) -> UIHint:
        """The hint of one field. Raises `XRepoNotFoundError`."""
        hints = self.entry(name).hints
        if field not in hints:
            raise XRepoNotFoundError(f"{name} has no field {field!r}", asked=field, exists=hints)
        return hints[field]

    def hints_for(self, schema: Schema, model: type[Any] | None, name: str) -> dict[str, UIHint]:
        """The hints of a schema's fields, in the order to show them: those of `model`, or without one
        of whatever is registered as `name`; of fields not registered, what follows from the schema."""
        found = self._entries.get(name) or self._entries.get(PREFIX + name)
        known = found.hints if found is not None and model in (None, found.model) else {}
        derived = derived_hints(schema)
        made_from: Schema | None = None if found is None else vars(found.model).get("__xrepo_schema__")
        at_first = {} if made_from is None else derived_hints(made_from)
        hints = {
            field: _with_changes(derived[field], known.get(field, derived[field]), at_first.get(field))
            for field in derived
        }
        return dict(sorted(hints.items(), key=lambda item: item[1].order))

    def set_hint(self, name: str, field: str, **changes: Any) -> UIHint:
        """Changes the hint of one field."""
        entry = _changed(self.entry(name), field, changes)
        self._entries[entry.namespace] = entry
        return entry.hints[field]

    def __contains__(self, name: object) -> bool:
        return name in self._entries or f"{PREFIX}{name}" in self._entries

    def __iter__(self) -> Iterator[Registration]:
        return iter(list(self._entries.values()))

    def __repr__(self) -> str:
        names = [entry.model.__name__ for entry in self._entries.values()]
        listed = ", ".join([*names[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])
        return f"<XRegistry: {counted(len(names), 'model')}{': ' if names else ''}{listed}>"

    def __len__(self) -> int:
        return len(self._entries)


def _schema_of(model: type[BaseModel]) -> Schema:
    known: Schema | None = getattr(model, "__xrepo_schema__", None)
    return known if known is not None else schema_of_model(model)


def _with_changes(derived: UIHint, known: UIHint, at_first: UIHint | None) -> UIHint:
    """What is registered; of a model that was made from a schema only what was changed since: the rest
    follows from the fields as their viewer sees them."""
    if at_first is None:
        return known
    names = [item.name for item in fields(UIHint)]
    changed = {
        name: getattr(known, name) for name in names if getattr(known, name) != getattr(at_first, name)
    }
    return replace(derived, **changed) if known is not derived else derived


def _changed(entry: Registration, name: str, changes: Mapping[str, Any]) -> Registration:
    if name not in entry.hints:
        raise XRepoConfigurationError(
            f"{entry.model.__name__} has no field {name!r}", asked=name, exists=entry.hints
        )
    known = [item.name for item in fields(UIHint)]
    unknown = next((key for key in changes if key not in known), None)
    if unknown is not None:
        raise XRepoConfigurationError(f"there is no hint {unknown!r}", asked=unknown, exists=known)
    return replace(entry, hints={**entry.hints, name: replace(entry.hints[name], **changes)})


def derived_hints(schema: Schema) -> dict[str, UIHint]:
    """The hints that follow from the schema: `extra["ui"]` of a field overrides what is derived."""
    return {field.name: _derived(field, order) for order, field in enumerate(schema.fields)}


def _derived(field: Field, order: int) -> UIHint:
    widget = "select" if field.enum else _WIDGETS.get(field.type.kind, "text")
    hint = UIHint(
        words(field.name), widget, _FORMATS.get(field.type.kind), order, description=field.description
    )
    return replace(hint, **dict(field.extra).get("ui", {}))


def words(name: str) -> str:
    """A name as people write it.

    >>> words("dep_delay"), words("OrderItem"), words("_id")
    ('Dep delay', 'Order item', 'Id')
    """
    spaced = "".join(
        f" {c.lower()}" if c.isupper() and i and name[i - 1].islower() else c for i, c in enumerate(name)
    )
    text = " ".join(spaced.replace("_", " ").replace(".", " ").split())
    return text[:1].upper() + text[1:] if text else name


_WIDGETS = {
    "int": "number", "float": "number", "decimal": "number", "bool": "checkbox", "date": "date",
    "time": "time", "datetime": "datetime", "duration": "duration", "object": "group",
    "array": "list", "mixed": "json", "binary": "file",
}  # fmt: skip
_FORMATS = {"datetime": "%Y-%m-%d %H:%M:%S", "date": "%Y-%m-%d", "time": "%H:%M:%S"}

model_registry = XRegistry()
"""The registry that `xrepo_nb.open` and the examples use."""
