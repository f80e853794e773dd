"""Who asks: identities, the directory that knows them, and the one acting now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from xrepo_nb.core.errors import XRepoConfigurationError, an
from xrepo_nb.query.parsing.limits import check_bounds


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller: an id, the roles it holds, and attributes that rules compare rows with.

    In rules `$$user.id` is the id, `$$user.<name>` an attribute.

    >>> Identity("ann", {"analyst"}, {"region": "EU"}).roles
    frozenset({'analyst'})
    """

    user_id: str | None = None
    roles: frozenset[str] = frozenset()
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __init__(
        self,
        user_id: str | None = None,
        roles: Any = frozenset(),
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        object.__setattr__(self, "user_id", user_id)
        object.__setattr__(self, "roles", frozenset([roles] if isinstance(roles, str) else roles))
        object.__setattr__(self, "attributes", dict(attributes or {}))
        check_bounds(self.attributes, "attributes")

    @property
    def key(self) -> str:
        """A text that is equal only for identities that every rule treats alike."""
        attributes = sorted((name, type(v).__name__, repr(v)) for name, v in self.attributes.items())
        return repr((self.user_id, sorted(self.roles), attributes))


ANONYMOUS = Identity()
"""Nobody in particular: holds no role."""

_acting: ContextVar[Identity | None] = ContextVar("xrepo_nb_identity", default=None)
_known: dict[str, Identity] = {}


def register_identity(identity: Identity) -> None:
    """Makes the roles and attributes of a user id known, for calls that pass `user_id="..."`.

    Registering the id again replaces it, and acts on the next call.
    """
    if identity.user_id is None:
        raise XRepoConfigurationError(
            "an identity without a user_id cannot be registered", hint='write Identity("ann", roles={...})'
        )
    _known[identity.user_id] = identity


def forget_identity(user_id: str) -> None:
    """Takes an identity back: its user id then holds no role."""
    _known.pop(user_id, None)


@contextmanager
def acting_as(identity: Identity | str) -> Iterator[Identity]:
    """Within the block, in this task, calls without `user_id` are made by `identity`.

    >>> with acting_as(Identity("ann", {"analyst"})):
    ...     resolve(None).user_id
    'ann'
    """
    who = resolve(identity)
    token = _acting.set(who)
    try:
        yield who
    finally:
        _acting.reset(token)


def resolve(user: str | Identity | None = None) -> Identity:
    """The identity behind a `user_id` argument.

    None is whoever acts now, else anonymous. An unknown id is an identity without roles.
    """
    if user is None:
        return _acting.get() or ANONYMOUS
    if isinstance(user, Identity):
        return user
    if not isinstance(user, str):
        raise XRepoConfigurationError(
            f"a caller is an Identity or a user id, not {an(type(user).__name__)}",
            asked="user_id",
            hint='write user_id="ann", or Identity("ann", roles={...})',
        )
    acting = _acting.get()
    if acting is not None and acting.user_id == user:
        return acting
    return _known.get(user) or Identity(user)
