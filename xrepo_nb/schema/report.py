"""InferenceReport: what loading documents saw, changed and refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from xrepo_nb.core.errors import counted
from xrepo_nb.schema.types import DataType, Field


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not taken: its line (1 is the first), the field if one is to blame, and why.

    The reason names types, never values.
    """

    line: int
    reason: str
    field: str | None = None

    def __str__(self) -> str:
        return f"line {self.line}: " + (f"{self.field}: " if self.field else "") + self.reason


@dataclass(slots=True)
class FieldReport:
    """What was seen under one path: `address.zip` in a document, `tags[]` in an array.

    `types` counts the values by type (nulls apart), `missing` the documents without the field,
    `coerced` the values that were changed, by what was done. `hint` says why a field is mixed.
    """

    path: str
    type: DataType = field(default_factory=lambda: DataType("null"))
    types: dict[str, int] = field(default_factory=dict)
    nulls: int = 0
    missing: int = 0
    coerced: dict[str, int] = field(default_factory=dict)
    hint: str | None = None

    def count(self, types: Mapping[str, int]) -> None:
        """Adds values seen, by type; "null" apart."""
        for name, count in types.items():
            if name == "null":
                self.nulls += count
            else:
                self.types[name] = self.types.get(name, 0) + count

    @property
    def present(self) -> int:
        """How many values there were, nulls apart."""
        return sum(self.types.values())

    def coerce(self, what: str, count: int = 1) -> None:
        """Notes that `count` values were changed."""
        self.coerced[what] = self.coerced.get(what, 0) + count


@dataclass(slots=True)
class InferenceReport:
    """How documents became typed columns: nothing is changed or left out without standing here.

    `rows` counts the rows taken, `rejected` names those that were not; `sampled` tells that these
    were not all the rows of the source. `str(report)` is a table for people, `to_frame()` the
    same as data.

    >>> from xrepo_nb.schema.inference import infer
    >>> report = infer([{"a": 1, "b": "x"}, {"a": 2.5}]).report
    >>> print(report)
    2 rows, 0 rejected
    field  type    seen               null  missing  changed             note
    a      float   int: 1, float: 1      0        0  int read as float: 1
    b      string  string: 1             0        1
    >>> report.clean, report["a"].coerced
    (False, {'int read as float': 1})
    """

    rows: int = 0
    fields: dict[str, FieldReport] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    sampled: bool = False

    def __repr__(self) -> str:
        counts = f"{counted(self.rows, 'row')}, {len(self.rejected)} rejected"
        return f"<InferenceReport: {counts}, {counted(len(self.fields), 'field')}>"

    def at(self, path: str) -> FieldReport:
        """The entry of a path, made when it is new."""
        found = self.fields.get(path)
        if found is None:
            found = self.fields[path] = FieldReport(path)
        return found

    def settle(self, field: Field, among: int, path: str = "") -> None:
        """Ends the counting of a field that was looked for in `among` documents: sets its type and
        those below it, and moves their entries to the end."""
        path = path or field.name
        entry = self.at(path)
        self.fields[path] = self.fields.pop(path)
        entry.type, entry.missing = field.type, among - entry.present - entry.nulls
        for nested in field.type.fields:
            self.settle(nested, entry.present, f"{path}.{nested.name}")
        if field.type.item is not None and f"{path}[]" in self.fields:
            item = Field("[]", field.type.item)
            self.settle(item, self.fields[f"{path}[]"].present + self.fields[f"{path}[]"].nulls, f"{path}[]")

    def forget(self, path: str) -> None:
        """Drops the entries of a field and of those below it."""
        for other in [p for p in self.fields if p == path or p.startswith((f"{path}.", f"{path}[]"))]:
            del self.fields[other]

    def __getitem__(self, path: str) -> FieldReport:
        return self.fields[path]

    def __iter__(self) -> Iterator[FieldReport]:
        return iter(self.fields.values())

    def __len__(self) -> int:
        return len(self.fields)

    @property
    def clean(self) -> bool:
        """Whether every row was taken, no value changed and no field is mixed."""
        return not self.rejected and all(f.type.kind != "mixed" and not f.coerced for f in self)

    def to_frame(self) -> pl.DataFrame:
        """One row a path: field, type, seen, nulls, missing, coerced, rejected, hint."""
        blamed: dict[str | None, int] = {}
        for row in self.rejected:
            blamed[row.field] = blamed.get(row.field, 0) + 1
        return pl.DataFrame(
            [
                (f.path, str(f.type), counts(f.types), f.nulls, f.missing, counts(f.coerced),
                 blamed.get(f.path, 0), f.hint)
                for f in self
            ],
            schema={
                "field": pl.String, "type": pl.String, "seen": pl.String, "nulls": pl.Int64,
                "missing": pl.Int64, "coerced": pl.String, "rejected": pl.Int64, "hint": pl.String,
            },
            orient="row",
        )  # fmt: skip

    def __str__(self) -> str:
        head = ["field", "type", "seen", "null", "missing", "changed", "note"]
        body = [
            [f.path, _short(str(f.type)), counts(f.types), str(f.nulls), str(f.missing),
             counts(f.coerced), f.hint or ""]
            for f in self
        ]  # fmt: skip
        widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
        seen = "the first " if self.sampled else ""
        lines = [f"{seen}{counted(self.rows, 'row')}, {len(self.rejected):,} rejected"]
        for row in [head, *body]:
            cells = [
                cell.rjust(width) if 3 <= i <= 4 else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        lines += [str(row) for row in self.rejected[:_SHOWN]]
        if len(self.rejected) > _SHOWN:
            lines.append(f"and {len(self.rejected) - _SHOWN:,} more")
        return "\n".join(lines)


_SHOWN = 20


def counts(of: dict[str, int]) -> str:
    """`int: 3, string: 1`."""
    return ", ".join(f"{name}: {count:,}" for name, count in of.items())


def _short(text: str, width: int = 40) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
