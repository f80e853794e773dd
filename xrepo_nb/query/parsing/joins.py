"""Stages that read other collections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xrepo_nb.query.expressions import Path, Variable
from xrepo_nb.query.parsing import pipelines
from xrepo_nb.query.parsing.expressions import Scope, expression, variables
from xrepo_nb.query.parsing.filters import filter_document
from xrepo_nb.query.parsing.values import array, document, fail, field_path, named_options, string, whole
from xrepo_nb.query.plan import (
    Facet,
    GraphLookup,
    Input,
    Lookup,
    Merge,
    Out,
    Plan,
    Scan,
    UnionWith,
)

_FORBIDDEN_INSIDE = ("$out", "$merge")


def collection_name(value: Any, at: str) -> str:
    """The name of a collection; `{db, coll}` names one by both."""
    if isinstance(value, Mapping):
        named = named_options(value, "a collection", ("db", "coll"), ("coll",), at)
        parts = [string(named[part], part, at) for part in ("db", "coll") if part in named]
        return ".".join(parts)
    name = string(value, "a collection", at)
    if not name:
        fail("the name of a collection is empty", at)
    return name


def _path_option(named: Mapping[str, Any], name: str, at: str) -> Path | None:
    return field_path(named[name], f"{at}.{name}") if name in named else None


def lookup(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$lookup` in its equality, pipeline and combined forms."""
    known = ("from", "localField", "foreignField", "let", "pipeline", "as")
    named = named_options(given, "$lookup", known, ("as",), at)
    target = field_path(named["as"], f"{at}.as")
    if ("localField" in named) != ("foreignField" in named):
        fail("$lookup takes localField and foreignField together", at)
    if "localField" not in named and "pipeline" not in named:
        fail("$lookup needs localField and foreignField, or a pipeline", at)
    if "let" in named and "pipeline" not in named:
        fail("$lookup takes let only with a pipeline", at)
    bound = variables(named["let"], f"{at}.let", scope) if "let" in named else ()
    right, inner = _right(named, at, scope.binding(*(name for name, _ in bound)))
    return Lookup(
        source,
        right,
        target,
        _path_option(named, "localField", at),
        _path_option(named, "foreignField", at),
        bound,
        inner,
        at=at,
    )


def _right(named: Mapping[str, Any], at: str, scope: Scope) -> tuple[Plan, Plan | None]:
    """What a lookup reads, and the stages on it; `$documents` may stand in for a collection."""
    steps = array(named["pipeline"], "pipeline", f"{at}.pipeline") if "pipeline" in named else None
    if steps and isinstance(steps[0], Mapping) and "$documents" in steps[0]:
        if "from" in named:
            fail("$documents stands only where no collection is named", f"{at}.pipeline[0]")
        right = pipelines.pipeline(steps[:1], Input(), f"{at}.pipeline", scope, leaf=True)
        return right, pipelines.pipeline(
            steps[1:], Input(), f"{at}.pipeline", scope, forbidden=_FORBIDDEN_INSIDE
        )
    if "from" not in named:
        fail("$lookup needs the option 'from'", at, asked="$lookup")
    right = Scan(collection_name(named["from"], f"{at}.from"))
    if steps is None:
        return right, None
    return right, pipelines.pipeline(steps, Input(), f"{at}.pipeline", scope, forbidden=_FORBIDDEN_INSIDE)


def graph_lookup(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$graphLookup`."""
    needed = ("from", "startWith", "connectFromField", "connectToField", "as")
    known = (*needed, "maxDepth", "depthField", "restrictSearchWithMatch")
    named = named_options(given, "$graphLookup", known, needed, at)
    restrict = named.get("restrictSearchWithMatch")
    depth = named.get("maxDepth")
    connect_from, connect_to = (
        field_path(named[name], f"{at}.{name}") for name in ("connectFromField", "connectToField")
    )
    return GraphLookup(
        source,
        Scan(collection_name(named["from"], f"{at}.from")),
        field_path(named["as"], f"{at}.as"),
        expression(named["startWith"], f"{at}.startWith", scope),
        connect_from,
        connect_to,
        None if depth is None else whole(depth, "maxDepth", f"{at}.maxDepth", least=0),
        _path_option(named, "depthField", at),
        None if restrict is None else _restriction(restrict, f"{at}.restrictSearchWithMatch", scope),
        at=at,
    )


def _restriction(given: Any, at: str, scope: Scope) -> Any:
    return filter_document(document(given, "restrictSearchWithMatch", at), at, scope)


def union_with(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$unionWith`, by name or with a pipeline."""
    if isinstance(given, str):
        return UnionWith(source, Scan(collection_name(given, at)), at=at)
    named = named_options(given, "$unionWith", ("coll", "pipeline"), (), at)
    steps = array(named.get("pipeline", []), "pipeline", f"{at}.pipeline")
    if "coll" in named:
        other: Plan = Scan(collection_name(named["coll"], f"{at}.coll"))
        return UnionWith(
            source,
            pipelines.pipeline(steps, other, f"{at}.pipeline", scope, forbidden=_FORBIDDEN_INSIDE),
            at=at,
        )
    if not (steps and isinstance(steps[0], Mapping) and "$documents" in steps[0]):
        fail("$unionWith needs 'coll', or a pipeline that begins with $documents", at)
    return UnionWith(
        source,
        pipelines.pipeline(steps, Input(), f"{at}.pipeline", scope, leaf=True, forbidden=_FORBIDDEN_INSIDE),
        at=at,
    )


def facet(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$facet`."""
    named = document(given, "$facet", at)
    if not named:
        fail("$facet needs at least one branch", at)
    branches = []
    for name, steps in named.items():
        if field_path(name, at) != (name,):
            fail(f"the name {name!r} of a branch holds a '.'", at, asked=name)
        here = f"{at}.{name}"
        inner = pipelines.pipeline(array(steps, "a branch", here), Input(), here, scope, forbidden=_NO_FACET)
        branches.append((name, inner))
    return Facet(source, tuple(branches), at=at)


_NO_FACET = (*_FORBIDDEN_INSIDE, "$facet", "$documents")


def out(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$out`."""
    if isinstance(given, Mapping):
        if "timeseries" in given:
            fail("$out into a time series is not supported", at)
        named_options(given, "$out", ("db", "coll"), ("db", "coll"), at)
    return Out(source, collection_name(given, at), at=at)


_MATCHED = ("replace", "keepExisting", "merge", "fail")
_NOT_MATCHED = ("insert", "discard", "fail")


def merge(given: Any, source: Plan, at: str, scope: Scope) -> Plan:
    """`$merge`, by name or with options."""
    if isinstance(given, str):
        given = {"into": given}
    known = ("into", "on", "let", "whenMatched", "whenNotMatched")
    named = named_options(given, "$merge", known, ("into",), at)
    bound = variables(named["let"], f"{at}.let", scope) if "let" in named else ()
    if any(name == "new" and value != Variable("ROOT") for name, value in bound):
        fail("$merge keeps the variable 'new' for the new document", f"{at}.let.new", hint="use another name")
    matched = named.get("whenMatched", "merge")
    if "let" in named and isinstance(matched, str):
        fail("$merge takes let only with a pipeline in whenMatched", at)
    return Merge(
        source,
        collection_name(named["into"], f"{at}.into"),
        _merge_keys(named.get("on", "_id"), f"{at}.on"),
        bound,
        _when_matched(matched, f"{at}.whenMatched", scope.binding("new", *(name for name, _ in bound))),
        _choice(named.get("whenNotMatched", "insert"), _NOT_MATCHED, f"{at}.whenNotMatched"),
        at=at,
    )


def _merge_keys(given: Any, at: str) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) else list(array(given, "on", at))
    if not names or len(set(map(str, names))) != len(names):
        fail("on names one or several different fields", at)
    return tuple(".".join(field_path(name, at)) for name in names)


def _when_matched(given: Any, at: str, scope: Scope) -> str | Plan:
    if isinstance(given, (list, tuple)):
        return pipelines.update_pipeline(given, at, scope)
    return _choice(given, _MATCHED, at)


def _choice(given: Any, known: tuple[str, ...], at: str) -> str:
    if given not in known:
        fail(f"unknown choice {given!r}", at, asked=given, exists=known)
    return str(given)
