"""What an update makes of a document."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoPermissionError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.governance.policy import FieldSet
from xrepo_nb.query.plan import Merge
from xrepo_nb.repos.documents import copied


def updated(document: dict[str, Any], given: Any, name: str, names: Collection[str] = ()) -> dict[str, Any]:
    """A new document: the given fields set, or MongoDB's update operators or pipeline applied.

    Names with dots reach into objects, unless a field has that very name, one of `names`. Without
    `$` operators, fields not given stay as they are.
    """
    if isinstance(given, Mapping):
        operators = [key for key in given if str(key).startswith("$")]
        if not operators and not any("." in str(key) for key in given):
            return document | {key: copied(value) for key, value in given.items()}
        if operators and len(operators) < len(given):
            raise XRepoConfigurationError(
                "an update has either operators or plain fields, not both",
                asked=", ".join(map(str, given)),
                hint='write {"$set": {...}} for the plain ones',
            )
        given = given if operators else {"$set": dict(given)}
    elif not isinstance(given, list | tuple):
        raise XRepoConfigurationError(
            f"an update of {name} is a dict of fields, of operators, or a pipeline",
            asked=type(given).__name__,
        )
    from xrepo_nb.engines.document import apply_update
    from xrepo_nb.query.naming import named, with_names
    from xrepo_nb.query.parsing import parse_update
    from xrepo_nb.query.predicates import EVERYTHING
    from xrepo_nb.query.updates import PipelineUpdate

    update = named(parse_update(given), names)
    if isinstance(update, PipelineUpdate):
        update = PipelineUpdate(with_names(update.plan, names))
    result = apply_update([copied(document)], EVERYTHING, update, multi=False, upsert=False)
    return dict(result.documents[0])


def given_values(given: Any) -> Collection[str]:
    """The fields to which an update gives values that it does not compute."""
    if not isinstance(given, Mapping):
        return ()
    plain = given.get("$set", {}) if any(str(key).startswith("$") for key in given) else given
    return plain.keys() if isinstance(plain, Mapping) else ()


def computed_fields(given: Any) -> list[str]:
    """The fields that operators of an update change by what they hold."""
    if not isinstance(given, Mapping):
        return []
    operators = [fields for name, fields in given.items() if str(name).startswith("$") and name != "$set"]
    return [str(name) for fields in operators if isinstance(fields, Mapping) for name in fields]


def piped(stage: Merge, row: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The record that the `whenMatched` pipeline of `$merge` makes of `row`, with `$$new` the document."""
    from xrepo_nb.engines.document import apply_update, compile_expression
    from xrepo_nb.query.predicates import EVERYTHING
    from xrepo_nb.query.updates import PipelineUpdate

    assert not isinstance(stage.when_matched, str)
    scope: dict[str, Any] = {"ROOT": document}
    bound = {name: compile_expression(value)(document, scope) for name, value in stage.let}
    bound = bound or {"new": document}
    update = PipelineUpdate(stage.when_matched)
    result = apply_update([copied(row)], EVERYTHING, update, multi=False, variables=bound)
    return dict(result.documents[0])


def merged(
    old: Mapping[str, Any], difference: Mapping[str, Any], fields: FieldSet, above: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The old document with the fields of `difference`, `MISSING` ones removed.

    What the caller cannot see below a changed field stays as it was; raises
    `XRepoPermissionError` where that cannot be done.
    """
    new = dict(old)
    for name, value in difference.items():
        path = (*above, name)
        before = old.get(name, MISSING)
        if fields.reaches(path) or before is MISSING:
            kept = value
        elif not fields.shows(path):
            kept = before
        elif isinstance(value, dict) and isinstance(before, dict):
            shown = {key for key in before if fields.shows((*path, key))}
            removed = dict.fromkeys(shown - value.keys(), MISSING)
            kept = merged(before, removed | value, fields, path)
        else:
            raise XRepoPermissionError(f"field {'.'.join(path)!r} may not be replaced", asked=name)
        if kept is MISSING:
            new.pop(name, None)
        else:
            new[name] = kept
    return new
