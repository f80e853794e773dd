"""Updates: MongoDB's update documents into change nodes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xrepo_nb.query import updates as u
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.operators import UPDATE_MODIFIERS, UPDATE_OPERATORS
from xrepo_nb.query.parsing.expressions import NOTHING_KNOWN
from xrepo_nb.query.parsing.filters import (
    element_condition,
    filter_document,
)
from xrepo_nb.query.parsing.patterns import pattern_parts
from xrepo_nb.query.parsing.pipelines import update_pipeline
from xrepo_nb.query.parsing.projections import check_collisions
from xrepo_nb.query.parsing.sorts import element_order
from xrepo_nb.query.parsing.values import (
    array,
    copied,
    document,
    fail,
    is_number,
    is_pattern,
    kind,
    split_path,
    string,
    unknown,
    whole,
)
from xrepo_nb.query.predicates import And, Not, Or, Predicate, Regex

_FILTERED = re.compile(r"\$\[([a-z][A-Za-z0-9]*)\]\Z")


def update_of(given: Any, array_filters: Any, at: str) -> u.Update:
    """The node of an update document, a replacement or a pipeline."""
    if isinstance(given, u.Update):
        return given
    if isinstance(given, (list, tuple)):
        if array_filters:
            fail("an update pipeline takes no array filters", at)
        if not given:
            fail("an update pipeline has at least one stage", at)
        return u.PipelineUpdate(update_pipeline(given, at, NOTHING_KNOWN))
    named = document(given, "an update", at)
    dollars = [isinstance(key, str) and key[:1] == "$" for key in named]
    if not any(dollars):
        return u.Replacement(_replacement(named, array_filters, at))
    if not all(dollars):
        wrong = next(str(key) for key, dollar in zip(named, dollars, strict=True) if not dollar)
        fail("an update has operators or plain fields, not both", f"{at}.{wrong}", asked=wrong)
    return _fields(named, _array_filters(array_filters, at), at)


def _replacement(named: Mapping[str, Any], array_filters: Any, at: str) -> dict[str, Any]:
    if array_filters:
        fail("a replacement takes no array filters", at)
    result: dict[str, Any] = copied(named, at)
    return result


def _fields(named: Mapping[str, Any], filters: dict[str, Predicate], at: str) -> u.FieldUpdate:
    changes: list[u.Change] = []
    for op, argument in named.items():
        here = f"{at}.{op}"
        parse = _CHANGES.get(op)
        if parse is None:
            unknown("update operator", op, UPDATE_OPERATORS, here)
        for name, value in document(argument, op, here).items():
            there = f"{here}.{name}"
            changes.append(parse(_path(name, there), value, there))
    _check_conflicts(changes, at)
    _check_filters(changes, filters, at)
    return u.FieldUpdate(tuple(changes), tuple(filters.items()))


def _path(name: Any, at: str) -> Path:
    text = string(name, "a field path", at)
    if not text:
        fail("an empty field path", at)
    path = split_path(text, at)
    for i, step in enumerate(path):
        if not step:
            fail(f"the field path {text!r} has an empty part", at, asked=text)
        if step[0] == "$":
            _check_position(step, i, text, at)
    if sum(step == "$" for step in path) > 1:
        fail(f"the field path {text!r} has several positional '$'", at, asked=text)
    return path


def _check_position(step: str, index: int, text: str, at: str) -> None:
    if step not in ("$", "$[]") and not _FILTERED.match(step):
        if step.startswith("$["):
            fail(f"{step!r} names no array filter: a small letter first, then letters and digits", at)
        fail(f"the field path {text!r} has a part that begins with '$'", at, asked=text)
    if index == 0:
        fail(f"the field path {text!r} begins with a positional operator", at, asked=text)


def _check_conflicts(changes: Sequence[u.Change], at: str) -> None:
    paths = [change.path for change in changes]
    paths += [change.target for change in changes if isinstance(change, u.Rename)]
    check_collisions(paths, at)


def _array_filters(given: Any, at: str) -> dict[str, Predicate]:
    found: dict[str, Predicate] = {}
    if given is None:
        return found
    for i, item in enumerate(array(given, "array filters", at)):
        here = f"{at}.arrayFilters[{i}]"
        predicate = filter_document(document(item, "an array filter", here), here, NOTHING_KNOWN)
        names = {path[0] for path in _paths(predicate)}
        if len(names) != 1:
            fail("an array filter is about exactly one name", here)
        (name,) = names
        if not _FILTERED.match(f"$[{name}]"):
            fail(f"{name!r} names no array filter: a small letter first, then letters and digits", here)
        if name in found:
            fail(f"two array filters for {name!r}", here, asked=name)
        found[name] = predicate
    return found


def _paths(predicate: Predicate) -> list[Path]:
    if isinstance(predicate, (And, Or, Not)):
        return [path for child in predicate.children() for path in _paths(child)]
    path: Path = getattr(predicate, "path", ())
    return [path] if path else []


def _check_filters(changes: Sequence[u.Change], filters: Mapping[str, Predicate], at: str) -> None:
    used = set()
    for change in changes:
        for step in change.path:
            named = _FILTERED.match(step)
            if named is None:
                continue
            name = named.group(1)
            if name not in filters:
                fail(f"no array filter for '$[{name}]'", change.at, asked=name, exists=filters)
            used.add(name)
    for name in filters:
        if name not in used:
            fail(f"the array filter {name!r} is not used", at, asked=name)


def _set(path: Path, value: Any, at: str) -> u.Change:
    return u.SetValue(path, copied(value, at), at=at)


def _set_on_insert(path: Path, value: Any, at: str) -> u.Change:
    return u.SetValue(path, copied(value, at), on_insert=True, at=at)


def _unset(path: Path, value: Any, at: str) -> u.Change:
    return u.UnsetField(path, at=at)


def _rename(path: Path, value: Any, at: str) -> u.Change:
    target = _path(value, at)
    if any(step[0] == "$" for step in path + target):
        fail("$rename takes no positional operator", at)
    return u.Rename(path, target, at=at)


def _arithmetic(op: str) -> Callable[[Path, Any, str], u.Change]:
    def parse(path: Path, value: Any, at: str) -> u.Change:
        if op in ("$inc", "$mul") and not is_number(value):
            fail(f"{op} takes a number, not {kind(value)}", at)
        return u.Arithmetic(path, op, copied(value, at), at=at)

    return parse


def _current_date(path: Path, value: Any, at: str) -> u.Change:
    if isinstance(value, bool):
        return u.CurrentDate(path, at=at)
    if not isinstance(value, Mapping) or list(value) != ["$type"]:
        fail("$currentDate takes true or {'$type': 'date' or 'timestamp'}", at)
    if value["$type"] not in ("date", "timestamp"):
        fail(f"$currentDate knows no type {value['$type']!r}", at, exists=("date", "timestamp"))
    return u.CurrentDate(path, value["$type"] == "timestamp", at=at)


def _bit(path: Path, value: Any, at: str) -> u.Change:
    named = document(value, "$bit", at)
    if not named:
        fail("$bit needs one of and, or, xor", at)
    for name, operand in named.items():
        if name not in ("and", "or", "xor"):
            fail(f"$bit has no operation {name!r}", at, asked=name, exists=("and", "or", "xor"))
        if isinstance(operand, bool) or not isinstance(operand, int):
            fail(f"$bit takes whole numbers, not {kind(operand)}", at)
    return u.Bit(path, tuple(named.items()), at=at)


def _push(path: Path, value: Any, at: str) -> u.Change:
    if not _is_each(value):
        return u.Push(path, (copied(value, at),), at=at)
    for name in value:
        if name not in UPDATE_MODIFIERS:
            fail(f"$push has no modifier {name!r}", at, asked=name, exists=UPDATE_MODIFIERS)
    return u.Push(
        path,
        _each(value, "$push", at),
        _modifier(value, "$position", at),
        _modifier(value, "$slice", at),
        element_order(value["$sort"], f"{at}.$sort") if "$sort" in value else None,
        at=at,
    )


def _is_each(value: Any) -> bool:
    return isinstance(value, Mapping) and "$each" in value


def _modifier(value: Mapping[str, Any], name: str, at: str) -> int | None:
    return whole(value[name], name, f"{at}.{name}") if name in value else None


def _each(value: Mapping[str, Any], op: str, at: str) -> tuple[Any, ...]:
    return tuple(copied(item, at) for item in array(value["$each"], f"$each of {op}", f"{at}.$each"))


def _add_to_set(path: Path, value: Any, at: str) -> u.Change:
    if _is_each(value) and next(iter(value)) == "$each":
        if len(value) > 1:
            fail("$addToSet takes no modifier but $each", at)
        return u.AddToSet(path, _each(value, "$addToSet", at), at=at)
    return u.AddToSet(path, (copied(value, at),), at=at)


def _pop(path: Path, value: Any, at: str) -> u.Change:
    number = whole(value, "$pop", at)
    if number not in (1, -1):
        fail(f"$pop takes 1 or -1, not {number}", at)
    return u.Pop(path, number == -1, at=at)


def _pull_all(path: Path, value: Any, at: str) -> u.Change:
    return u.PullAll(path, tuple(copied(item, at) for item in array(value, "$pullAll", at)), at=at)


def _pull(path: Path, value: Any, at: str) -> u.Change:
    if is_pattern(value):
        return u.Pull(path, Regex((), *pattern_parts(value, at), at=at), True, at=at)
    if isinstance(value, Mapping):
        return u.Pull(path, *element_condition(value, at, NOTHING_KNOWN), at=at)
    return u.PullAll(path, (copied(value, at),), at=at)


_CHANGES: dict[str, Callable[[Path, Any, str], u.Change]] = {
    "$set": _set,
    "$setOnInsert": _set_on_insert,
    "$unset": _unset,
    "$rename": _rename,
    **{op: _arithmetic(op) for op in ("$inc", "$mul", "$min", "$max")},
    "$currentDate": _current_date,
    "$bit": _bit,
    "$push": _push,
    "$addToSet": _add_to_set,
    "$pop": _pop,
    "$pullAll": _pull_all,
    "$pull": _pull,
}
