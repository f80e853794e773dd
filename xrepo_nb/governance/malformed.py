"""Rules that are not written as rules are: what is wrong with them, in the words of rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from xrepo_nb.core.errors import XRepoConfigurationError
from xrepo_nb.query.parsing.limits import check_bounds

_RULE = ("role", "permissions", "conditions", "kind")
_CONDITIONS = ("rows", "check", "fields", "masks")
_FIELDS = ("allow", "deny")
_KINDS = ("permissive", "restrictive")


def must_be_rule(given: Mapping[str, Any], permissions: Iterable[str]) -> None:
    """Raises `XRepoConfigurationError` that tells the rule, the key, what it was given and what it takes."""
    role = given.get("role")
    of = f"the rule of role {role!r}" if isinstance(role, str) else "an access rule"
    _known(given, _RULE, of)
    for name in ("role", "permissions"):
        if name not in given:
            raise XRepoConfigurationError(
                f"{of} has no {name}", asked=name, exists=_RULE, hint=f"give {name}="
            )
    if not isinstance(role, str):
        _wrong(of, "role", "the name of a role", role)
    _listed(of, "permissions", given["permissions"])
    for permission in given["permissions"]:
        _one_of(of, "permissions", permission, tuple(permissions))
    _one_of(of, "kind", given.get("kind", "permissive"), _KINDS)
    if given.get("conditions") is not None:
        _conditions(of, given["conditions"])


def _conditions(of: str, given: Any) -> None:
    if isinstance(given, Mapping):
        check_bounds(given, f"conditions of {of}")
    else:
        _wrong(of, "conditions", f"a dict with some of {', '.join(_CONDITIONS)}", given)
    _known(given, (*_CONDITIONS, *_FIELDS), f"conditions of {of}", _CONDITIONS)
    for name in ("rows", "check"):
        if not isinstance(given.get(name), Mapping | None):
            _wrong(of, f"conditions.{name}", "a filter, which is a dict", given[name])
    if not isinstance(given.get("masks", {}), Mapping):
        _wrong(of, "conditions.masks", "a dict from field to what is shown in its place", given["masks"])
    _names(of, "conditions.masks", given.get("masks", {}))
    fields = given.get("fields", ())
    if isinstance(fields, Mapping):
        _known(fields, _FIELDS, f"conditions.fields of {of}")
        given = {**given, **fields}
    else:
        _listed(of, "conditions.fields", fields)
    for name in _FIELDS:
        if given.get(name) is not None:
            _listed(of, f"conditions.fields.{name}", given[name])


def _known(given: Mapping[Any, Any], names: tuple[str, ...], of: str, told: tuple[str, ...] = ()) -> None:
    for name in given:
        if name not in names:
            raise XRepoConfigurationError(f"{of} has no key {name!r}", asked=name, exists=told or names)


def _one_of(of: str, key: str, given: Any, allowed: tuple[str, ...]) -> None:
    if not isinstance(given, str):
        _wrong(of, key, f"one of {', '.join(allowed)}", given)
    if given not in allowed:
        raise XRepoConfigurationError(f"{key} of {of} cannot be {given!r}", asked=given, exists=allowed)


def _listed(of: str, key: str, given: Any) -> None:
    if isinstance(given, str | bytes) or not isinstance(given, list | tuple | set | frozenset):
        hint = "write [...] around it" if isinstance(given, str) else None
        _wrong(of, key, "a list of names", given, hint)
    _names(of, key, given)


def _names(of: str, key: str, given: Iterable[Any]) -> None:
    odd = next((name for name in given if not isinstance(name, str) or not name), None)
    if odd is not None:
        _wrong(of, key, "names only", odd)


def _wrong(of: str, key: str, takes: str, given: Any, hint: str | None = None) -> NoReturn:
    kind = "null" if given is None else "an empty text" if given == "" else type(given).__name__
    raise XRepoConfigurationError(f"{key} of {of} takes {takes}, not {kind}", asked=key, hint=hint)
