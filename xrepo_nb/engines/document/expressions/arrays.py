"""Arrays: access, search, `$map` and its kin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import limits, numbers, statistics
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions.registry import (
    Compile,
    Evaluate,
    Variables,
    nullable,
    special,
    stops_at_absent,
    values,
)
from xrepo_nb.engines.document.meter import counted, spend, weighed
from xrepo_nb.engines.document.numbers import fail
from xrepo_nb.engines.document.sorting import sort_elements
from xrepo_nb.query.expressions import Call
from xrepo_nb.query.plan import SortKey


def need_array(op: str, value: Any) -> None:
    """Refuses what is no array."""
    if not isinstance(value, list):
        fail(f"{op} takes an array, not {v.type_name(value)}")


@nullable("$arrayElemAt")
def array_elem_at(array: Any, position: Any) -> Any:
    need_array("$arrayElemAt", array)
    if not v.is_number(position):
        fail(f"$arrayElemAt takes a numeric position, not {v.type_name(position)}")
    at = numbers.whole(position, "the position of $arrayElemAt")
    return array[at] if -len(array) <= at < len(array) else MISSING


def _end(op: str, at: int) -> None:
    def apply(array: Any) -> Any:
        need_array(op, array)
        return array[at] if array else MISSING

    nullable(op)(apply)


_end("$first", 0)
_end("$last", -1)


def count_of(op: str, n: Any) -> int:
    """The `n` of `$firstN` and its kin: a whole number above zero."""
    count = numbers.whole_long(n, f"the n of {op}")
    if count < 1:
        fail(f"the n of {op} is a number above zero, not {count}")
    return count


def _some(op: str, pick: Callable[[list[Any], int], list[Any]]) -> None:
    def apply(n: Any, input: Any) -> Any:
        count = count_of(op, n)
        need_array(op, input)
        return pick(input, count)

    values(op)(apply)


_some("$firstN", lambda array, count: array[:count])
_some("$lastN", lambda array, count: array[-count:])
_some("$minN", statistics.least_of)
_some("$maxN", statistics.greatest_of)


@values("$concatArrays")
def concat_arrays(*arrays: Any) -> Any:
    if stops_at_absent(arrays, lambda array: need_array("$concatArrays", array)):
        return None
    limits.checked_size(sum(map(len, arrays)))
    return [item for array in arrays for item in array]


@values("$in")
def in_(value: Any, array: Any) -> bool:
    need_array("$in", array)
    spend(len(array))
    wanted = v.hash_key(value)
    return any(v.hash_key(item) == wanted for item in array)


OPEN = object()
"""The end of a search that was given none, which null is not."""


@values("$indexOfArray")
def index_of_array(array: Any, value: Any, start: Any = 0, end: Any = OPEN) -> Any:
    if v.is_absent(array):
        return None
    need_array("$indexOfArray", array)
    first, last = index_range("$indexOfArray", start, end, len(array))
    spend(len(array))
    wanted = v.key(value)
    return next((i for i in range(first, min(last, len(array))) if v.key(array[i]) == wanted), -1)


def index_range(op: str, start: Any, end: Any, length: int) -> tuple[int, int]:
    """The bounds of a search, checked."""
    first = numbers.whole(start, f"the start of {op}")
    last = length if end is OPEN else numbers.whole(end, f"the end of {op}")
    if first < 0 or last < 0:
        fail(f"{op} takes bounds from zero on")
    return first, last


@values("$isArray")
def is_array(value: Any) -> bool:
    return isinstance(value, list)


@values("$size")
def size(array: Any) -> int:
    need_array("$size", array)
    return len(array)


@nullable("$reverseArray")
def reverse_array(array: Any) -> Any:
    need_array("$reverseArray", array)
    spend(len(array))
    return array[::-1]


@values("$range")
def range_(start: Any, end: Any, step: Any = 1) -> Any:
    first, last = numbers.whole(start, "the start of $range"), numbers.whole(end, "the end of $range")
    by = numbers.whole(step, "the step of $range")
    if by == 0:
        fail("the step of $range is not zero")
    found = range(first, last, by)
    limits.checked_size(len(found))
    return list(found)


@nullable("$slice")
def slice_(array: Any, *bounds: Any) -> Any:
    need_array("$slice", array)
    first = numbers.whole(bounds[0], "the second argument of $slice")
    if len(bounds) == 1:
        spend(min(abs(first), len(array)))
        return array[:first] if first >= 0 else array[first:]
    count = numbers.whole(bounds[1], "the count of $slice")
    if count <= 0:
        fail(f"the count of $slice is a number above zero, not {count}")
    start = max(0, len(array) + first) if first < 0 else first
    spend(min(count, len(array)))
    return array[start : start + count]


@special("$sortArray")
def sort_array(call: Call, compile: Compile) -> Evaluate:
    read, by = compile(call.needed("input")), element_order(call.constant("sortBy"))

    def evaluate(document: Any, variables: Variables) -> Any:
        array = read(document, variables)
        if v.is_absent(array):
            return None
        need_array("$sortArray", array)
        spend(len(array))
        return sort_elements(array, by)

    return evaluate


def element_order(given: Any) -> int | tuple[SortKey, ...]:
    """The order of array elements that a constant `sortBy` means."""
    if not isinstance(given, dict):
        return int(v.plain(given))
    return tuple(SortKey(tuple(path.split(".")), v.plain(order) < 0) for path, order in given.items())


def _over(call: Call, compile: Compile, name: str) -> tuple[Evaluate, Evaluate, str]:
    """What `$map` and `$filter` share: the array, the inner expression, the element's variable."""
    inner = call.needed(name)
    return compile(call.needed("input")), weighed(inner.walk(), compile(inner)), call.constant("as") or "this"


@special("$map")
def map_(call: Call, compile: Compile) -> Evaluate:
    read, inner, name = _over(call, compile, "in")

    def evaluate(document: Any, variables: Variables) -> Any:
        array = read(document, variables)
        if v.is_absent(array):
            return None
        need_array("$map", array)
        bound, out = dict(variables), []
        for item in counted(array):
            bound[name] = item
            value = inner(document, bound)
            out.append(None if value is MISSING else value)
        return out

    return evaluate


@special("$filter")
def filter_(call: Call, compile: Compile) -> Evaluate:
    read, inner, name = _over(call, compile, "cond")
    bound_of = call.option("limit")
    limit = None if bound_of is None else compile(bound_of)

    def evaluate(document: Any, variables: Variables) -> Any:
        array = read(document, variables)
        most = None if limit is None else _limit(limit(document, variables))
        if v.is_absent(array):
            return None
        need_array("$filter", array)
        bound, out = dict(variables), []
        for item in counted(array):
            bound[name] = item
            if v.truth(inner(document, bound)):
                out.append(item)
                if len(out) == most:
                    break
        return out

    return evaluate


def _limit(value: Any) -> int | None:
    if v.is_absent(value):
        return None
    limit = numbers.whole(value, "the limit of $filter")
    if limit < 1:
        fail(f"the limit of $filter is a number above zero, not {limit}")
    return limit


@special("$reduce")
def reduce_(call: Call, compile: Compile) -> Evaluate:
    parts = [call.needed(name) for name in ("input", "initialValue", "in")]
    read, initial, inner = (weighed(part.walk(), compile(part)) for part in parts)

    def evaluate(document: Any, variables: Variables) -> Any:
        array = read(document, variables)
        if v.is_absent(array):
            return None
        need_array("$reduce", array)
        bound = dict(variables)
        value = initial(document, variables)
        for item in counted(array):
            bound["this"], bound["value"] = item, value
            value = inner(document, bound)
        return value

    return evaluate


@special("$zip")
def zip_(call: Call, compile: Compile) -> Evaluate:
    read, fill = compile(call.needed("inputs")), call.option("defaults")
    read_fill: Evaluate = (lambda d, s: None) if fill is None else compile(fill)
    longest = call.constant("useLongestLength") is True

    def evaluate(document: Any, variables: Variables) -> Any:
        return _zipped(read(document, variables), longest, read_fill(document, variables))

    return evaluate


def _zipped(inputs: Any, longest: bool, defaults: Any) -> Any:
    if v.is_absent(inputs):
        return None
    need_array("the inputs of $zip", inputs)
    if not inputs:
        fail("$zip needs at least one array")
    if stops_at_absent(inputs, lambda array: need_array("$zip", array)):
        return None
    fill = [None] * len(inputs)
    if not v.is_absent(defaults):
        need_array("the defaults of $zip", defaults)
        if len(defaults) != len(inputs):
            fail("$zip takes one default for each array")
        fill = defaults
    length = (max if longest else min)(map(len, inputs))
    limits.checked_size(length * (len(inputs) + 4))
    return [
        [array[i] if i < len(array) else default for array, default in zip(inputs, fill, strict=True)]
        for i in range(length)
    ]
