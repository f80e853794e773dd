"""ACLManager: who may do what on one repo."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from xrepo_nb.core.bounded import Bounded
from xrepo_nb.core.errors import XRepoPermissionError
from xrepo_nb.governance.combine import combine
from xrepo_nb.governance.identity import Identity, resolve
from xrepo_nb.governance.names import must_name_fields
from xrepo_nb.governance.policy import OPEN, FieldSet, Grant, Policy
from xrepo_nb.governance.rules import ACLRule, Permission
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.naming import named, names_with_dots
from xrepo_nb.query.typing.comparable import moments_in
from xrepo_nb.schema.schema import Schema

_KEPT = 256
"""Callers whose policies are kept at once."""


class _Made(NamedTuple):
    """A policy, and the schema whose names and types it was made for."""

    policy: Policy
    schema: Schema | None


class ACLManager:
    """Turns the rules of a repo into the policy of each caller, once a caller and schema.

    `rules` may be replaced; the next call then sees the new ones. Without rules everything is
    allowed. A rule that cannot be understood is refused here, not when a query meets it.
    """

    def __init__(self, repo: Any, rules: Sequence[ACLRule] = ()) -> None:
        self._repo = repo
        self._rules: tuple[ACLRule, ...] = ()
        self._policies: Bounded[str, _Made] = Bounded(_KEPT)
        self._version = 0
        self._schema: Schema | None = None
        self._schemas = 0
        self.rules = tuple(rules)

    @property
    def rules(self) -> tuple[ACLRule, ...]:
        """The rules in force."""
        return self._rules

    @rules.setter
    def rules(self, rules: Sequence[ACLRule]) -> None:
        given = tuple(rules)
        for rule in given:
            for permission in rule.permissions:
                combine([rule], permission, Identity(roles={rule.role}), self._names())
        self.must_name_fields(given)
        self._rules = given
        self._version += 1
        self._policies.clear()

    def must_name_fields(self, rules: Sequence[ACLRule] | None = None) -> None:
        """Raises `XRepoConfigurationError` when the rules, by default those in force, name a field that
        the repo knows not to be there. Where it cannot know, such a field shows and allows nothing."""
        known = getattr(self._repo, "_known_fields", None)
        schema = known() if known is not None else None
        if schema is not None:
            must_name_fields(self._rules if rules is None else rules, schema)

    def _names(self) -> tuple[str, ...]:
        """The names of the repo's fields, as far as they are known."""
        schema = getattr(self._repo, "_schema", None)
        return schema.names if schema is not None else ()

    def policy(self, identity: Identity) -> Policy:
        """What the rules leave to the identity. Cheap after the first call for an identity."""
        if not self._rules:
            return OPEN
        key, schema = identity.key, getattr(self._repo, "_schema", None)
        found = self._policies.get(key)
        if found is None or found.schema is not schema:
            found = self._policies[key] = self._made(identity, key, schema, found)
        return found.policy

    def _made(self, identity: Identity, key: str, schema: Schema | None, before: _Made | None) -> _Made:
        """The policy for that schema: the one from before, where the rules come to the same."""
        if before is not None and before.schema == schema:
            return _Made(before.policy, schema)
        grants = self._grants(identity, schema)
        if before is not None and before.policy.grants == grants:
            return _Made(before.policy, schema)
        if schema != self._schema:
            self._schema, self._schemas = schema, self._schemas + 1
        return _Made(Policy(grants, version=f"{self._version}.{self._schemas}:{key}"), schema)

    def _grants(self, identity: Identity, schema: Schema | None) -> dict[Permission, Grant]:
        names = self._names()
        grants = {p: combine(self._rules, p, identity, names) for p in Permission}
        held = {p: grant for p, grant in grants.items() if grant is not None}
        if schema is not None:
            held = {permission: _typed(grant, schema) for permission, grant in held.items()}
        return held

    def require(self, permission: Permission, identity: Identity) -> Grant:
        """The grant, or `XRepoPermissionError` naming the operation and who asked."""
        policy = self.policy(identity)
        grant = policy.grants.get(permission)
        if grant is None:
            name = getattr(getattr(self._repo, "metadata", None), "name", None)
            raise XRepoPermissionError(
                f"{identity.user_id or 'anonymous'} may not {permission.value} in {name or 'this repo'}",
                asked=permission.value,
                exists=sorted(p.value for p in policy.permissions) or None,
                hint="ask for a role that allows it, or pass user_id= or use acting_as(...)",
            )
        return grant

    async def check_permission(
        self,
        permission: Permission,
        user_id: str | Identity | None,
        data: Mapping[str, Any] | None = None,
    ) -> bool:
        """Whether the caller may, and whether it may leave the row `data` behind, when given."""
        grant = self.policy(resolve(user_id)).grants.get(permission)
        if grant is None:
            return False
        if data is None:
            return True
        from xrepo_nb.engines.document import compile_predicate

        return bool(compile_predicate(grant.check)(dict(data)))


def _typed(grant: Grant, schema: Schema) -> Grant:
    """The grant, whose conditions take names with dots and ISO text for times, as filters do."""
    own = names_with_dots(schema)
    allow, deny = grant.fields.allow, grant.fields.deny

    def spelt(paths: Iterable[Path]) -> frozenset[Path]:
        return frozenset(found for path in paths for found in _spelt(path, own, schema.names))

    return Grant(
        rows=moments_in(named(grant.rows, own), schema),
        check=moments_in(named(grant.check, own), schema),
        fields=FieldSet(None if allow is None else spelt(allow), spelt(deny)),
        masks=tuple((f, named(mask, own)) for p, mask in grant.masks for f in _spelt(p, own, schema.names)),
    )


def _spelt(path: Path, own: Collection[str], names: Sequence[str]) -> tuple[Path, ...]:
    """The fields that a rule names: where there may be `{"a": {"b": 1}}` and `{"a.b": 1}`, both."""
    name = ".".join(path)
    if name in own:
        return ((name,),)
    return (path, (name,)) if len(path) > 1 and name in names else (path,)
