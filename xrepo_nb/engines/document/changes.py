"""Changes of single fields: `$set`, `$inc`, `$push` and their kin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from xrepo_nb.core.errors import XRepoLimitError, XRepoQueryError
from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import numbers
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.conflicts import Touched, check_kinds, in_order, may_meet
from xrepo_nb.engines.document.expressions.compile import now
from xrepo_nb.engines.document.positions import matched_position
from xrepo_nb.engines.document.predicates import Test, compile_predicate, element_test
from xrepo_nb.engines.document.sorting import sort_elements
from xrepo_nb.query import predicates as p
from xrepo_nb.query import updates as u
from xrepo_nb.query.expressions import Path
from xrepo_nb.query.walk import is_position

Changer = Callable[[dict[str, Any], bool], dict[str, Any]]
"""The new document, from the old one and whether it is being inserted."""
Change = Callable[[Any], Any]
"""The new value of a field from the old one; `MISSING` for none."""

MAX_POSITION = 1_500_000
"""How far past an array's end an update may write."""


def compile_changes(update: u.FieldUpdate, predicate: p.Predicate, scope: Mapping[str, Any]) -> Changer:
    """The changes as a function of a document, which stays as it is."""
    check_kinds(update.changes)
    filters = {name: compile_predicate(item, scope) for name, item in update.array_filters}
    steps = [_step(change, predicate, filters) for change in in_order(update.changes)]
    watched = may_meet(update.changes)

    def apply(document: dict[str, Any], inserting: bool) -> dict[str, Any]:
        out = v.copied(document)
        touched = Touched() if watched else None
        for step in steps:
            step(out, document, inserting, touched)
        return out  # type: ignore[no-any-return]

    return apply


Step = Callable[[dict[str, Any], dict[str, Any], bool, Touched | None], None]
"""Changes the copy, given the old document, whether it is being inserted, and what others changed."""


def _step(change: u.Change, predicate: p.Predicate, filters: Mapping[str, Test]) -> Step:
    if isinstance(change, u.Rename):
        return _rename(change)
    compute = _CHANGES[type(change)](change)
    creates = not isinstance(change, (u.UnsetField, u.Pop, u.Pull, u.PullAll))
    find = matched_position(predicate, change.path[: change.path.index("$")]) if "$" in change.path else None

    def step(out: dict[str, Any], old: dict[str, Any], inserting: bool, touched: Touched | None) -> None:
        if isinstance(change, u.SetValue) and change.on_insert and not inserting:
            return
        position = None if find is None else find(old)
        if find is not None and position is None:
            raise XRepoQueryError("the filter selects no array element for the positional '$'", at=change.at)
        _Walk(compute, creates, filters, change, position, touched).into(out, old, change.path)

    return step


class _Walk:
    """Applies a change at every place that a path leads to.

    Array filters look at the old document: a change before this one may not alter what they select.
    """

    __slots__ = ("change", "compute", "creates", "filters", "position", "touched")

    def __init__(
        self,
        compute: Change,
        creates: bool,
        filters: Mapping[str, Test],
        change: u.Change,
        position: int | None = None,
        touched: Touched | None = None,
    ) -> None:
        self.compute, self.creates, self.filters = compute, creates, filters
        self.change, self.position, self.touched = change, position, touched

    def into(self, container: Any, old: Any, path: Path, place: Path = ()) -> None:
        """Changes what lies at the path below a document or an array, given what was there before;
        `place` is where that container lies."""
        name = path[0]
        if isinstance(container, list):
            self._into_array(container, old if isinstance(old, list) else container, path, place)
        elif name[:1] == "$":
            self._fail(f"{name!r} needs an array, not {v.type_name(container)}")
        elif isinstance(container, dict):
            self._into_field(container, old if isinstance(old, dict) else {}, path, place)
        elif self.creates:
            self._fail(f"no field {name!r} can be made in {v.type_name(container)}")

    def _touch(self, place: Path) -> None:
        if self.touched is not None:
            self.touched.add(place, self.change.at)

    def _into_field(self, container: dict[str, Any], old: dict[str, Any], path: Path, place: Path) -> None:
        name, rest = path[0], path[1:]
        if rest:
            if name not in container:
                if not self.creates:
                    self._touch(place + path)
                    return
                if rest[0][:1] == "$":
                    self._fail(f"{rest[0]!r} needs an array, and there is none")
                container[name] = {}
            self.into(container[name], old.get(name, MISSING), rest, (*place, name))
            return
        self._touch((*place, name))
        value = self.compute(container.get(name, MISSING))
        if value is MISSING:
            container.pop(name, None)
        else:
            container[name] = value

    def _into_array(self, array: list[Any], old: list[Any], path: Path, place: Path) -> None:
        name, rest = path[0], path[1:]
        for i in self._positions(old, name):
            here = (*place, str(i))
            if i >= len(array):
                if not self.creates:
                    self._touch(here + rest)
                    return
                if i - len(array) > MAX_POSITION:
                    raise XRepoLimitError("an update writes too far past an array's end", at=self.change.at)
                array.extend([None] * (i - len(array)))
                array.append({} if rest else MISSING)
            if rest:
                self.into(array[i], old[i] if i < len(old) else MISSING, rest, here)
            else:
                self._touch(here)
                value = self.compute(array[i])
                array[i] = None if value is MISSING else value

    def _positions(self, array: list[Any], name: str) -> list[int]:
        if name == "$":
            return [self.position or 0]
        if name == "$[]":
            return list(range(len(array)))
        if name.startswith("$["):
            key = name[2:-1]
            test = self.filters[key]
            return [i for i, item in enumerate(array) if test({key: item})]
        if is_position(name):
            return [int(name)]
        if self.creates:
            self._fail(f"no field {name!r} can be made in an array")
        return []

    def _fail(self, message: str) -> None:
        raise XRepoQueryError(message, at=self.change.at)


def _rename(change: u.Rename) -> Step:
    def step(out: dict[str, Any], old: dict[str, Any], inserting: bool, touched: Touched | None) -> None:
        holder = _documents_only(out, change.path[:-1], change)
        if holder is None or change.path[-1] not in holder:
            return
        _documents_only(out, change.target[:-1], change)
        value = holder.pop(change.path[-1])
        _Walk(lambda before: value, True, {}, change).into(out, old, change.target)

    return step


def _documents_only(value: Any, path: Path, change: u.Change) -> dict[str, Any] | None:
    """The document at a path; None when there is none. Refuses all else on the way."""
    for name in path:
        value = value.get(name, MISSING)
        if value is MISSING:
            return None
        if not isinstance(value, dict):
            raise XRepoQueryError(f"$rename does not reach into {v.type_name(value)}", at=change.at)
    return value  # type: ignore[no-any-return]


def _set(change: u.SetValue) -> Change:
    return lambda old: v.copied(change.value)


def _unset(change: u.UnsetField) -> Change:
    return lambda old: MISSING


def _arithmetic(change: u.Arithmetic) -> Change:
    compute = _OPERATIONS[change.op]

    def apply(old: Any) -> Any:
        if change.op in ("$inc", "$mul"):
            if old is not MISSING and not v.is_number(old):
                raise XRepoQueryError(f"{change.op} changes numbers, not {v.type_name(old)}", at=change.at)
            return _in_range(compute(old, change.value), old, change)
        return compute(old, v.copied(change.value))

    return apply


def _in_range(new: Any, old: Any, change: u.Arithmetic) -> Any:
    """Refuses a whole result that left the range of a long."""
    if isinstance(new, float) and v.is_integral(change.value) and (old is MISSING or v.is_integral(old)):
        raise XRepoQueryError(f"{change.op} passes the range of a long", at=change.at)
    return new


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "$inc": lambda old, value: value if old is MISSING else numbers.add(old, value),
    "$mul": lambda old, value: numbers.multiply(0 if old is MISSING else old, value),
    "$min": lambda old, value: value if old is MISSING or v.compare(value, old) < 0 else old,
    "$max": lambda old, value: value if old is MISSING or v.compare(value, old) > 0 else old,
}


def _current_date(change: u.CurrentDate) -> Change:
    if not change.timestamp:
        return lambda old: now()
    from bson.timestamp import Timestamp

    return lambda old: Timestamp(int(now().timestamp()), 1)


def _bit(change: u.Bit) -> Change:
    def apply(old: Any) -> Any:
        if old is not MISSING and not v.is_integral(old):
            raise XRepoQueryError(f"$bit changes ints and longs, not {v.type_name(old)}", at=change.at)
        value = 0 if old is MISSING else int(old)
        long = old is not MISSING and v.is_long(old)
        for name, mask in change.operations:
            long = long or v.is_long(mask)
            value = value & mask if name == "and" else value | mask if name == "or" else value ^ mask
        return numbers.integer(int(value), long=long)

    return apply


def _array_of(old: Any, change: u.Change) -> list[Any]:
    if old is MISSING:
        return []
    if not isinstance(old, list):
        raise XRepoQueryError(f"the field is no array but {v.type_name(old)}", at=change.at)
    return old


def _push(change: u.Push) -> Change:
    def apply(old: Any) -> Any:
        array = _array_of(old, change)
        at = len(array) if change.position is None else change.position
        at = max(0, len(array) + at) if at < 0 else at
        out = [*array[:at], *v.copied(list(change.values)), *array[at:]]
        if change.sort is not None:
            out = sort_elements(out, change.sort)
        if change.slice is None:
            return out
        return out[: change.slice] if change.slice >= 0 else out[change.slice :]

    return apply


def _add_to_set(change: u.AddToSet) -> Change:
    def apply(old: Any) -> Any:
        out = list(_array_of(old, change))
        seen = {v.hash_key(item) for item in out}
        for value in change.values:
            key = v.hash_key(value)
            if key not in seen:
                seen.add(key)
                out.append(v.copied(value))
        return out

    return apply


def _pop(change: u.Pop) -> Change:
    def apply(old: Any) -> Any:
        if old is MISSING:
            return MISSING
        array = _array_of(old, change)
        return array[1:] if change.first else array[:-1]

    return apply


def _removing(change: u.Change, drops: Test) -> Change:
    def apply(old: Any) -> Any:
        if old is MISSING:
            return MISSING
        return [item for item in _array_of(old, change) if not drops(item)]

    return apply


def _pull_all(change: u.PullAll) -> Change:
    gone = {v.hash_key(value) for value in change.values}
    return _removing(change, lambda item: v.hash_key(item) in gone)


def _pull(change: u.Pull) -> Change:
    if not change.on_values:
        return _removing(change, element_test(change.predicate, False, {}))
    test = compile_predicate(_on_field(change.predicate))
    return _removing(change, lambda item: test({"": item}))


def _on_field(predicate: p.Predicate) -> p.Predicate:
    """The predicate of an element as one of a field, whose value may be an array in turn."""
    if isinstance(predicate, (p.And, p.Or)):
        return replace(predicate, items=tuple(map(_on_field, predicate.items)))
    if isinstance(predicate, p.Not):
        return p.Not(_on_field(predicate.item))
    if isinstance(predicate, p.All):
        return p.All(("",), tuple(map(_on_field, predicate.items)))
    leaf: Any = predicate
    return replace(leaf, path=("",)) if hasattr(leaf, "path") else predicate


_CHANGES: dict[type[u.Change], Callable[[Any], Change]] = {
    u.SetValue: _set,
    u.UnsetField: _unset,
    u.Arithmetic: _arithmetic,
    u.CurrentDate: _current_date,
    u.Bit: _bit,
    u.Push: _push,
    u.AddToSet: _add_to_set,
    u.Pop: _pop,
    u.PullAll: _pull_all,
    u.Pull: _pull,
}
