"""The rules as users write them: permissions, conditions, and `$$user` variables in filters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from xrepo_nb.core.errors import XRepoConfigurationError, an
from xrepo_nb.governance.identity import Identity
from xrepo_nb.governance.malformed import must_be_rule

EVERYONE = "*"
"""The role that every caller holds, anonymous ones too."""


class Permission(StrEnum):
    """What a rule can allow. ADMIN includes all others and reading the whole audit log."""

    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    DELETE = "delete"
    LIST = "list"
    ADMIN = "admin"


class Conditions(BaseModel):
    """What narrows a rule.

    `rows`: a filter; the rule reaches only rows that match. `check`: a filter that rows must match
    after a write (`rows` when unset). `fields`: the visible ones, as a list, or `{"allow": [...]}`
    or `{"deny": [...]}`; dotted paths reach into objects. `masks`: field to the expression that
    replaces its value, a constant or `{"$substrCP": [...]}`; it may use fields that are hidden.
    In `rows` and `check`, `"$$user.id"` and `"$$user.<attribute>"` stand for the caller's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: dict[str, Any] | None = None
    check: dict[str, Any] | None = None
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    masks: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _spread_fields(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or "fields" not in given:
            return given
        rest = {key: value for key, value in given.items() if key != "fields"}
        fields = given["fields"]
        if not isinstance(fields, Mapping):
            return rest | {"allow": fields}
        return rest | dict(fields)


class ACLRule(BaseModel):
    """One access rule: what `role` may do, narrowed by `conditions` (see `Conditions`).

    Permissive rules (the default) of a caller's roles add up; restrictive ones each narrow what
    is left. Role `"*"` is everyone. Combination as in PostgreSQL's row security: no permissive
    rule for an operation means nothing.

    >>> rule = ACLRule(role="eu", permissions=["read", "list"], conditions={"rows": {"region": "EU"}})
    >>> rule.narrowing.rows
    {'region': 'EU'}

    Raises `XRepoConfigurationError` for what cannot be understood, with the key and what it takes.
    """

    model_config = ConfigDict(extra="forbid")

    role: str
    permissions: list[Permission]
    conditions: dict[str, Any] | None = None
    kind: Literal["permissive", "restrictive"] = "permissive"

    def __init__(self, **given: Any) -> None:
        must_be_rule(given, [permission.value for permission in Permission])
        super().__init__(**given)

    @property
    def narrowing(self) -> Conditions:
        """The conditions, validated."""
        return Conditions.model_validate(self.conditions or {})

    def allows(self, permission: Permission) -> bool:
        """Whether the rule is about that permission."""
        return permission in self.permissions or Permission.ADMIN in self.permissions

    def concerns(self, identity: Identity) -> bool:
        """Whether the identity holds the rule's role."""
        return self.role == EVERYONE or self.role in identity.roles


def parsed_rules(given: Iterable[ACLRule | Mapping[str, Any]]) -> list[ACLRule]:
    """The rules, of which some may be written as mappings.

    Raises `XRepoConfigurationError` for one that is no rule, with what it takes instead.
    """
    return [rule if isinstance(rule, ACLRule) else _parsed(rule, place) for place, rule in enumerate(given)]


def _parsed(given: Any, place: int) -> ACLRule:
    if not isinstance(given, Mapping):
        raise XRepoConfigurationError(
            f"rule {place} is {an(type(given).__name__)}, not an ACLRule",
            asked=place,
            hint='write ACLRule(role="...", permissions=[...]), or the same as a dict',
        )
    try:
        return ACLRule(**given)
    except XRepoConfigurationError as error:
        raise XRepoConfigurationError(
            f"rule {place}: {error.message}", asked=error.asked, exists=error.exists, hint=error.hint
        ) from None


class MissingAttribute(Exception):
    """A rule names an attribute that the caller does not have: the rule fails closed."""


def substitute(given: Any, identity: Identity, *, in_expr: bool = False) -> Any:
    """The filter with each `$$user.<name>` replaced by the caller's value, taken literally.

    Raises `MissingAttribute` when the caller has no such attribute, or it is not a scalar or a
    list of scalars (a document could smuggle operators in).
    """
    if isinstance(given, Mapping):
        return {
            key: substitute(value, identity, in_expr=in_expr or key == "$expr")
            for key, value in given.items()
        }
    if isinstance(given, list | tuple):
        return [substitute(item, identity, in_expr=in_expr) for item in given]
    if isinstance(given, str) and given.startswith("$$user"):
        value = _attribute(given, identity)
        return {"$literal": value} if in_expr else value
    return given


def _attribute(variable: str, identity: Identity) -> Any:
    user, _, name = variable.partition(".")
    if user != "$$user" or not name:
        raise XRepoConfigurationError(
            f"{variable!r} names no attribute",
            asked=variable,
            hint="write '$$user.id' or '$$user.<attribute>'",
        )
    value = identity.user_id if name == "id" else identity.attributes.get(name)
    values = value if isinstance(value, list | tuple | set | frozenset) else [value]
    if value is None or any(v is None or isinstance(v, Mapping | list | tuple | set) for v in values):
        raise MissingAttribute(name)
    return list(value) if values is value else value
