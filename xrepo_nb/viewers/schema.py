"""The schema: fields, nested types, keys, indexes, absence, values, lineage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xrepo_nb.core.errors import counted
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import DataType, Field
from xrepo_nb.viewers.base import View
from xrepo_nb.viewers.html import Html, join, tag
from xrepo_nb.viewers.lineage import links, picture
from xrepo_nb.viewers.parts import fold, grid, heading, note
from xrepo_nb.viewers.values import show

_ABSENCE = {
    "never": "always there",
    "null": "may be null",
    "missing": "may be missing",
    "both": "null or missing",
}
_DEPTH = 6


@dataclass(frozen=True, repr=False)
class SchemaView(View):
    """A schema. Nested fields are listed below the field that holds them."""

    schema: Schema

    def body(self) -> Html:
        schema = self.schema
        facts = [
            counted(len(schema.fields), "field"),
            schema.source if schema.source != schema.name else None,
        ]
        return join([heading("schema", schema.name, *facts), self.fields(), self.indexes(), self.lineage()])

    def fields(self) -> Html:
        """One row a field, at any depth."""
        optional = {"notes": _notes, "description": _description}
        used = {name: say for name, say in optional.items() if any(map(say, self.schema.fields))}
        headers = ["field", "type", "absence", *used]
        rows = [
            [
                *_row(field, depth, self.schema),
                *(tag("td", say(field), class_="xr-wrap") for say in used.values()),
            ]
            for field, depth in nested(self.schema.fields)
        ]
        return grid(headers, rows, f"fields of {self.schema.name or 'the schema'}")

    def indexes(self) -> Html | None:
        """The indexes, in a line each."""
        texts = [
            f"{'unique index' if index.unique else 'index'} {index.name} on {', '.join(index.fields)}"
            for index in self.schema.indexes
        ]
        return note([tag("div", text) for text in texts]) if texts else None

    def lineage(self) -> Html | None:
        """Where a view's columns come from, as a picture."""
        found = links(self.schema)
        if not found:
            return None
        return fold("where the columns come from", picture(found), opened=len(found) <= 30)

    def to_text(self) -> str:
        lines = [f"schema {self.schema.name}".strip()]
        lines += [
            f"  {'  ' * depth}{field.name}: {field.type.kind}{'' if field.required else '?'}"
            for field, depth in nested(self.schema.fields)
        ]
        return "\n".join(lines)


def nested(fields: tuple[Field, ...], depth: int = 0) -> Iterator[tuple[Field, int]]:
    """Every field with its depth, parents first.

    >>> inner = DataType("object", (Field("city", DataType("string")),))
    >>> [(field.name, depth) for field, depth in nested((Field("homes", DataType("array", item=inner)),))]
    [('homes', 0), ('city', 1)]
    """
    for field in fields:
        yield field, depth
        inner: DataType | None = field.type
        while inner is not None and inner.kind == "array":
            inner = inner.item
        if inner is not None and depth < _DEPTH:
            yield from nested(inner.fields, depth + 1)


def _row(field: Field, depth: int, schema: Schema) -> list[Html | str]:
    key = depth == 0 and field.name in schema.primary_key
    indent = f"padding-left:{10 + 18 * depth}px" if depth else None
    name = tag(
        "th", field.name, tag("span", "key", class_="xr-tag") if key else None, scope="row", style=indent
    )
    return [name, _outer(field.type), _ABSENCE[field.absence]]


def _outer(type_: DataType) -> str:
    """The type without the fields that are listed below it."""
    if type_.kind == "array" and type_.item is not None:
        return f"array<{_outer(type_.item)}>"
    return type_.kind


def _description(field: Field) -> str:
    return field.description or ""


def _notes(field: Field) -> str:
    said = []
    if field.enum:
        values = [show(value).text for value in field.enum[:8]]
        said.append("one of " + ", ".join(values) + (" …" if len(field.enum) > 8 else ""))
    if field.lineage:
        said.append("from " + ", ".join(field.lineage))
    elif field.source:
        said.append(f"from {field.source}")
    said += [f"{name.replace('_', ' ')}: {show(value).text}" for name, value in field.extra]
    return "; ".join(said)
