"""Policy: what the rules leave to one identity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from xrepo_nb.core.errors import XRepoPermissionError
from xrepo_nb.governance.rules import Permission
from xrepo_nb.query.expressions import Expr, Path
from xrepo_nb.query.predicates import EVERYTHING, Predicate
from xrepo_nb.query.walk import overlap
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import DataType, Field


@dataclass(frozen=True, slots=True)
class FieldSet:
    """The visible paths: those of `allow` (None is all) without those of `deny`."""

    allow: frozenset[Path] | None = None
    deny: frozenset[Path] = frozenset()

    @property
    def is_all(self) -> bool:
        """Whether nothing is hidden."""
        return self.allow is None and not self.deny

    def shows(self, path: Path) -> bool:
        """Whether the path is visible, or something below it is."""
        if any(path[: len(hidden)] == hidden for hidden in self.deny):
            return False
        return self.allow is None or any(overlap(path, shown) for shown in self.allow)

    def reaches(self, path: Path) -> bool:
        """Whether the path is visible as a whole, with all below it."""
        return self._covers(path) and not any(overlap(path, hidden) for hidden in self.deny)

    def part_of(self, document: dict[str, Any], above: Path = ()) -> dict[str, Any]:
        """The visible part of a document."""
        if self.is_all:
            return document
        out = {}
        for name, value in document.items():
            path = (*above, name)
            if self.reaches(path):
                out[name] = value
            elif self.shows(path):
                if isinstance(value, dict):
                    out[name] = self.part_of(value, path)
                elif isinstance(value, list):
                    out[name] = [self.part_of(v, path) if isinstance(v, dict) else v for v in value]
        return out

    def __and__(self, other: FieldSet) -> FieldSet:
        if self.allow is None or other.allow is None:
            allow = other.allow if self.allow is None else self.allow
        else:
            allow = frozenset(p for p in self.allow if other._covers(p)) | frozenset(
                p for p in other.allow if self._covers(p)
            )
        return FieldSet(allow, self.deny | other.deny)

    def __or__(self, other: FieldSet) -> FieldSet:
        allow = None if self.allow is None or other.allow is None else self.allow | other.allow
        hidden = {p for p in self.deny if not other.reaches(p)} | {
            p for p in other.deny if not self.reaches(p)
        }
        return FieldSet(allow, frozenset(hidden))

    def _covers(self, path: Path) -> bool:
        return self.allow is None or any(path[: len(shown)] == shown for shown in self.allow)


ALL_FIELDS = FieldSet()


@dataclass(frozen=True, slots=True)
class Grant:
    """What one permission leaves: rows it reaches, rows it may leave behind, fields, masks."""

    rows: Predicate = EVERYTHING
    check: Predicate = EVERYTHING
    fields: FieldSet = ALL_FIELDS
    masks: tuple[tuple[Path, Expr], ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it hides nothing, so that a scan needs no rewriting."""
        return self.rows == EVERYTHING and self.fields.is_all and not self.masks

    def shows_as_is(self, path: Path) -> bool:
        """Whether the whole value is visible, and no mask."""
        return self.fields.reaches(path) and not any(overlap(path, masked) for masked, _ in self.masks)

    @property
    def bare(self) -> FieldSet:
        """The fields whose own values are visible: those without a mask."""
        masked = frozenset(path for path, _ in self.masks)
        return FieldSet(self.fields.allow, self.fields.deny | masked) if masked else self.fields


READS = (Permission.READ, Permission.LIST)
"""The permissions by which a caller sees rows."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The grants of one identity, and a version that changes with the rules and the caller.

    Two policies of one version select the same rows and fields: caches and materialised views
    are keyed by it.
    """

    grants: Mapping[Permission, Grant]
    version: str = "open"

    @property
    def permissions(self) -> frozenset[Permission]:
        """What is allowed at all."""
        return frozenset(self.grants)

    @property
    def is_admin(self) -> bool:
        """Whether it hides from its holder nothing of what was done, and how."""
        return Permission.ADMIN in self.grants

    def grant(self, permission: Permission) -> Grant:
        """What the permission leaves; raises `XRepoPermissionError` when it leaves nothing."""
        found = self.grants.get(permission)
        if found is None:
            raise XRepoPermissionError(
                f"{permission.value} is not allowed",
                asked=permission.value,
                hint="ask for a role that allows it",
            )
        return found

    @property
    def reads(self) -> tuple[Grant, ...]:
        """The grants by which the caller sees rows."""
        return tuple(self.grants[permission] for permission in READS if permission in self.grants)

    def knows(self, path: Path) -> bool:
        """Whether the caller sees the field's own values, where there is anything that he may read."""
        return not self.reads or any(grant.shows_as_is(path) for grant in self.reads)

    def visible(self, schema: Schema, permission: Permission = Permission.LIST) -> Schema:
        """The schema as this caller sees it: hidden fields are not there."""
        fields = self.grant(permission).fields
        if fields.is_all:
            return schema
        names = [f.name for f in schema.fields if fields.shows((f.name,))]
        kept = schema.select(names)
        return kept.replace(fields=tuple(_pruned(f, (f.name,), fields.shows) for f in kept.fields))


def _pruned(field: Field, path: Path, shows: Callable[[Path], bool]) -> Field:
    kind: DataType = field.type
    inner = kind.item if kind.kind == "array" and kind.item else kind
    if inner.kind != "object":
        return field
    nested = tuple(_pruned(f, (*path, f.name), shows) for f in inner.fields if shows((*path, f.name)))
    pruned = replace(inner, fields=nested)
    return replace(field, type=replace(kind, item=pruned) if inner is not kind else pruned)


OPEN = Policy({permission: Grant() for permission in Permission})
"""The policy of a repo without rules: everything is allowed."""
