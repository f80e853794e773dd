"""Documents: fields by computed name, merging, pairs, sizes."""

from __future__ import annotations

from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions.arrays import need_array
from xrepo_nb.engines.document.expressions.registry import nullable, values
from xrepo_nb.engines.document.meter import spend
from xrepo_nb.engines.document.numbers import fail


def _need_object(op: str, value: Any) -> None:
    if not isinstance(value, dict):
        fail(f"{op} takes a document, not {v.type_name(value)}")


def _need_name(op: str, value: Any) -> None:
    if not v.is_text(value):
        fail(f"the field of {op} is a string, not {v.type_name(value)}")


@values("$getField")
def get_field(field: Any, input: Any) -> Any:
    _need_name("$getField", field)
    if isinstance(input, dict):
        return input.get(field, MISSING)
    return None if input is None else MISSING


@values("$setField")
def set_field(field: Any, input: Any, value: Any) -> Any:
    _need_name("$setField", field)
    if v.is_absent(input):
        return None
    _need_object("$setField", input)
    spend(len(input))
    out = dict(input)
    if value is MISSING:
        out.pop(field, None)
    else:
        out[field] = value
    return out


@values("$unsetField")
def unset_field(field: Any, input: Any) -> Any:
    return set_field(field, input, MISSING)


@values("$mergeObjects")
def merge_objects(*objects: Any) -> Any:
    out: dict[str, Any] = {}
    given = objects[0] if len(objects) == 1 and isinstance(objects[0], list) else objects
    for item in given:
        if not v.is_absent(item):
            _need_object("$mergeObjects", item)
            spend(len(item))
            out.update(item)
    return out


@nullable("$objectToArray")
def object_to_array(value: Any) -> Any:
    _need_object("$objectToArray", value)
    spend(len(value))
    return [{"k": name, "v": item} for name, item in value.items()]


@nullable("$arrayToObject")
def array_to_object(array: Any) -> Any:
    need_array("$arrayToObject", array)
    spend(len(array))
    out: dict[str, Any] = {}
    in_pairs = bool(array) and isinstance(array[0], list)
    for item in array:
        name, value = _pair(item) if in_pairs else _named(item)
        if not v.is_text(name):
            fail(f"the names of $arrayToObject are strings, not {v.type_name(name)}")
        if "\0" in name:
            fail("a field name holds no null byte")
        out[name] = value
    return out


def _pair(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, list) or len(item) != 2:
        fail("$arrayToObject takes pairs [name, value] or documents {k, v}, all alike")
    return item[0], item[1]


def _named(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, dict) or item.keys() != {"k", "v"}:
        fail("$arrayToObject takes documents {k, v} or pairs [name, value], all alike")
    return item["k"], item["v"]


@nullable("$bsonSize")
def bson_size(value: Any) -> int:
    _need_object("$bsonSize", value)
    from xrepo_nb.engines.document.expressions.binary import encoded

    return len(encoded(value))


@nullable("$binarySize")
def binary_size(value: Any) -> int:
    if isinstance(value, str):
        return len(v.utf8(value))
    if v.type_name(value) != "binData":
        fail(f"$binarySize takes a string or binary data, not {v.type_name(value)}")
    return 16 if hasattr(value, "hex") and not isinstance(value, bytes) else len(value)
