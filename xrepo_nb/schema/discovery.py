"""What rows tell of a collection beyond its source's description: types, keys, few-valued fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from xrepo_nb.schema.inference import infer
from xrepo_nb.schema.naming import singular
from xrepo_nb.schema.report import InferenceReport
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import Field

FEW = 12
"""A text field has few values when it has at most this many, and each ten times on average."""

_KEY_KINDS = ("int", "string", "uuid", "objectid")


@dataclass(frozen=True, slots=True)
class Seen:
    """Rows of a collection (`whole`: all of them), its schema completed by them, and the report."""

    frame: pl.DataFrame
    schema: Schema
    report: InferenceReport
    whole: bool

    @classmethod
    def of(cls, table: Table, described: Schema, whole: bool, known: InferenceReport | None) -> Seen:
        """From rows, and from the source's own description and report as far as it has them.

        Documents complete the description; frames are as described. Blocking.
        """
        if table.is_frame and described.fields:
            frame, schema = table.frame, described
            report = known if known is not None and _has_counts(known) else _counted(frame, schema, known)
        else:
            frame, schema, report = infer(table.documents, described, on_reject="keep")
            if not whole:
                schema = schema.replace(extra=(*schema.extra, ("sampled", frame.height)))
        report.sampled = not whole and report.rows <= frame.height
        return cls(frame, schema, report, whole)

    def candidate_key(self) -> tuple[str, ...]:
        """The field that seems to identify a row: without nulls and repetitions, and named like a
        key, or first and code-like (the `carrier` of airlines); empty when there is none."""
        wanted = key_names(self.schema.name)
        named = {f.name.casefold(): f.name for f in reversed(self.schema.fields)}
        found = [named[name] for name in wanted if name in named]
        if self.whole and self.schema.fields and self._is_code(self.schema.fields[0]):
            found.append(self.schema.fields[0].name)
        return next(((name,) for name in found if self._is_unique(name)), ())

    def few_valued(self) -> dict[str, tuple[Any, ...]]:
        """The values of text fields that have few."""
        columns = [f.name for f in self.schema.fields if f.type.kind == "string" and not f.enum]
        return {name: values for name in columns if (values := few(self.frame[name]))}

    def _is_unique(self, name: str) -> bool:
        field, column = self.schema.field(name), self.frame[name]
        kind = field.type.kind if field else "mixed"
        return kind in _KEY_KINDS and not column.null_count() and column.n_unique() == len(column)

    def _is_code(self, field: Field) -> bool:
        column = self.frame[field.name]
        if field.type.kind != "string" or len(column) < 10:
            return False
        longest: Any = column.str.len_chars().max()
        return longest <= 12 and not column.str.contains(r"\s").any()


def few(column: pl.Series) -> tuple[Any, ...]:
    """The values of the column, sorted, when they are few; else nothing."""
    present = column.drop_nulls()
    if present.head(10_000).n_unique() > FEW:
        return ()
    values = present.unique().sort().to_list()
    return tuple(values) if 0 < len(values) <= FEW and len(present) >= 10 * len(values) else ()


def with_enums(schema: Schema, values: Mapping[str, Sequence[Any]]) -> Schema:
    """The schema with the values of those fields."""
    fields = (replace(f, enum=tuple(values[f.name])) if values.get(f.name) else f for f in schema.fields)
    return schema.replace(fields=tuple(fields))


def key_names(collection: str) -> list[str]:
    """Names that a key of that collection would have, likeliest first, in lower case.

    >>> key_names("users")[:4]
    ['_id', 'id', 'user_id', 'users_id']
    """
    plural = collection.rpartition(".")[2].casefold()
    single = singular(plural)
    own = [f"{single}_id", f"{plural}_id", f"{single}id", f"{plural}id"] if plural else []
    return list(dict.fromkeys(["_id", "id", *own, "uuid", "guid", "key", "code"]))


def refers_to(field: Field, collection: str, schema: Schema) -> bool:
    """Whether the field is named and typed like the primary key of that other collection."""
    if len(schema.primary_key) != 1:
        return False
    key = schema.field(schema.primary_key[0])
    if key is None or key.type != field.type:
        return False
    generic = key.name.casefold() in ("_id", "id", "uuid", "guid", "key", "code")
    names = key_names(collection)[2:-4] if generic else [key.name.casefold()]
    return field.name.casefold() in names


def _has_counts(report: InferenceReport) -> bool:
    return any(entry.types or entry.nulls for entry in report)


def _counted(frame: pl.DataFrame, schema: Schema, known: InferenceReport | None) -> InferenceReport:
    report = InferenceReport(frame.height, rejected=list(known.rejected) if known else [])
    for field in schema.fields:
        nulls = frame[field.name].null_count()
        entry = report.at(field.name)
        entry.type = field.type
        entry.count({field.type.kind: frame.height - nulls, "null": nulls})
        if known is not None and field.name in known.fields:
            entry.coerced = dict(known[field.name].coerced)
    return report
