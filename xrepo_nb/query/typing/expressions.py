"""Types of expressions: those of nodes, and of operators that bind names or read their options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from xrepo_nb.query.expressions import (
    ROOTS,
    ArrayExpr,
    Call,
    DocumentExpr,
    Expr,
    FieldRef,
    Let,
    Literal,
    Path,
    Variable,
)
from xrepo_nb.query.plan import FirstMatch, SliceOf
from xrepo_nb.query.typing.rules import RULES
from xrepo_nb.query.typing.values import (
    MIXED,
    NOTHING,
    UNKNOWN,
    Value,
    array_of,
    constant,
    either,
    field_of,
    lineage,
    meets_array,
    nullable,
    object_of,
    resolved,
    union,
)
from xrepo_nb.schema.types import DataType, Kind

Lost = Callable[[Path, Value, str], None]
"""Told of each path that is not in the schema, what it was looked for in, and the place."""


class Scope:
    """The document that an expression sees and the variables bound around it."""

    __slots__ = ("at", "lost", "root", "variables")

    def __init__(
        self,
        root: Value,
        variables: Mapping[str, Value] | None = None,
        lost: Lost | None = None,
        at: str = "",
    ) -> None:
        self.root = root
        self.variables = dict(variables or {})
        self.lost = lost
        self.at = at

    def binding(self, names: Mapping[str, Value]) -> Scope:
        """The scope in which these variables are bound too."""
        return Scope(self.root, self.variables | dict(names), self.lost, self.at)

    def placed(self, at: str) -> Scope:
        """The same scope, at another place in the query."""
        return Scope(self.root, self.variables, self.lost, at) if at else self

    def find(self, root: Value, path: Path) -> Value:
        """The value at a path, reported when the schema has none."""
        found = resolved(root, path, positions=False)
        if found is not None:
            return found
        if self.lost is not None:
            self.lost(path, root, self.at)
        return UNKNOWN if meets_array(root, path) else NOTHING


def type_of(expr: Expr, scope: Scope) -> Value:
    """The type of an expression's value."""
    return _NODES[type(expr)](expr, scope)


def _field_ref(expr: FieldRef, scope: Scope) -> Value:
    return scope.find(scope.root, expr.path)


def _variable(expr: Variable, scope: Scope) -> Value:
    bound = scope.variables.get(expr.name)
    if bound is not None:
        return scope.find(bound, expr.path) if expr.path else bound
    if expr.name in ROOTS:
        return scope.find(scope.root, expr.path)
    if expr.name == "NOW":
        return Value(DataType("datetime"))
    return NOTHING if expr.name == "REMOVE" else UNKNOWN


def _document(expr: DocumentExpr, scope: Scope) -> Value:
    fields = [field_of(name, type_of(item, scope)) for name, item in expr.items]
    return object_of(fields, source=tuple(dict.fromkeys(n for f in fields for n in f.lineage)))


def _array(expr: ArrayExpr, scope: Scope) -> Value:
    return array_of(union([type_of(item, scope) for item in expr.items]))


def _let(expr: Let, scope: Scope) -> Value:
    return type_of(expr.body, scope.binding({name: type_of(item, scope) for name, item in expr.variables}))


def _call(expr: Call, scope: Scope) -> Value:
    here = scope.placed(expr.at)
    special = _SPECIAL.get(expr.op)
    if special is not None:
        return special(expr, here)
    values = [type_of(item, here) for item in expr.args]
    values += [type_of(item, here) for _, item in expr.options if not _is_set(item)]
    rule = RULES.get(expr.op)
    return rule(values) if rule is not None else Value(MIXED, "both", lineage(*values))


def _is_set(option: Expr) -> bool:
    """Whether an option is a constant, which says how, and not of what; null makes the result null."""
    return isinstance(option, Literal) and option.value is not None


_NODES: dict[type, Callable[[Any, Scope], Value]] = {
    Literal: lambda expr, scope: constant(expr.value),
    FieldRef: _field_ref,
    Variable: _variable,
    DocumentExpr: _document,
    ArrayExpr: _array,
    Let: _let,
    Call: _call,
    SliceOf: lambda expr, scope: scope.find(scope.root, expr.path),
    FirstMatch: lambda expr, scope: scope.find(scope.root, expr.path),
}


def _option(call: Call, name: str, scope: Scope) -> Value | None:
    found = call.option(name)
    return None if found is None else type_of(found, scope)


def _needed(call: Call, name: str, scope: Scope) -> Value:
    return _option(call, name, scope) or UNKNOWN


def _cond(call: Call, scope: Scope) -> Value:
    condition, yes, no = (type_of(item, scope) for item in call.args)
    found = union([yes, no])
    return Value(found.type, found.absence, lineage(found, condition))


def _switch(call: Call, scope: Scope) -> Value:
    values = [type_of(item, scope) for item in call.args]
    default = _option(call, "default", scope)
    found = union([*values[1::2], *([default] if default else [])])
    return Value(found.type, found.absence, lineage(found, *values))


def _bound(call: Call, scope: Scope) -> tuple[Value, Scope]:
    source = _needed(call, "input", scope)
    return source, scope.binding({str(call.constant("as") or "this"): source.item})


def _map(call: Call, scope: Scope) -> Value:
    source, inner = _bound(call, scope)
    body = _needed(call, "in", inner)
    return Value(DataType("array", item=body.type), nullable([source]), lineage(source, body))


def _filter(call: Call, scope: Scope) -> Value:
    source, inner = _bound(call, scope)
    condition = _needed(call, "cond", inner)
    _option(call, "limit", scope)
    return Value(source.type, nullable([source]), lineage(source, condition))


def _reduce(call: Call, scope: Scope) -> Value:
    source, initial = _needed(call, "input", scope), _needed(call, "initialValue", scope)
    body = _needed(call, "in", scope.binding({"this": source.item, "value": initial}))
    if body.type != initial.type:
        body = _needed(call, "in", scope.binding({"this": source.item, "value": union([initial, body])}))
    found = union([initial, body])
    absence = either(found.absence, nullable([source]))
    return Value(found.type, absence, lineage(source, found))


def _get_field(call: Call, scope: Scope) -> Value:
    name, source = call.option("field"), _needed(call, "input", scope)
    if not isinstance(name, Literal):
        return Value(MIXED, "both", source.lineage)
    found = resolved(source, (name.value,)) if source.kind in ("object", "mixed") else None
    found = found or NOTHING
    return found.absent(either(found.absence, "null")) if source.absence in ("null", "both") else found


def _set_field(call: Call, scope: Scope) -> Value:
    name, source = call.option("field"), _needed(call, "input", scope)
    if not isinstance(name, Literal) or source.kind != "object":
        return Value(MIXED, "null", source.lineage)
    fields = [f for f in source.type.fields if f.name != name.value]
    value = _option(call, "value", scope)
    if value is not None:
        fields.append(field_of(name.value, value))
    return object_of(fields, nullable([source]), lineage(source, *([value] if value else [])))


def _object_to_array(call: Call, scope: Scope) -> Value:
    source = type_of(call.args[0], scope)
    inner = union([Value(f.type, f.absence, f.lineage) for f in source.type.fields])
    pair = object_of([field_of("k", Value(DataType("string"))), field_of("v", inner)])
    return Value(DataType("array", item=pair.type), nullable([source]), source.lineage)


_CONVERTED: dict[Any, Kind] = {
    "double": "float", 1: "float", "string": "string", 2: "string", "bool": "bool", 8: "bool",
    "date": "datetime", 9: "datetime", "int": "int", 16: "int", "long": "int", 18: "int",
    "decimal": "decimal", 19: "decimal",
    "objectId": "objectid", 7: "objectid", "binData": "binary", 5: "binary",
}  # fmt: skip


def _convert(call: Call, scope: Scope) -> Value:
    source, wanted = _needed(call, "input", scope), call.constant("to")
    named = wanted.get("type") if isinstance(wanted, dict) else wanted
    kind = _CONVERTED.get(named, "mixed") if type(named) in (str, int, float) else "mixed"
    others = [v for v in (_option(call, "onError", scope), _option(call, "onNull", scope)) if v is not None]
    found = union([Value(DataType(kind), nullable([source])), *others])
    return Value(found.type, found.absence, lineage(source, found))


def _date_from_string(call: Call, scope: Scope) -> Value:
    source = _needed(call, "dateString", scope)
    others = [v for v in (_option(call, "onError", scope), _option(call, "onNull", scope)) if v is not None]
    found = union([Value(DataType("datetime"), nullable([source])), *others])
    return Value(found.type, found.absence, lineage(source, found))


def _date_to_string(call: Call, scope: Scope) -> Value:
    how = [_needed(call, name, scope) for name, _ in call.options if name != "onNull"]
    default = _option(call, "onNull", scope)
    found = union([Value(DataType("string"), nullable(how)), *([default] if default else [])])
    return Value(found.type, found.absence, lineage(found, *how))


def _date_to_parts(call: Call, scope: Scope) -> Value:
    if not isinstance(call.option("iso8601"), Literal | None):
        return Value(MIXED, "null")
    names = "isoWeekYear isoWeek isoDayOfWeek" if call.constant("iso8601") else "year month day"
    fields = [field_of(n, Value(DataType("int"))) for n in f"{names} hour minute second millisecond".split()]
    source = _needed(call, "date", scope)
    return object_of(fields, nullable([source]), source.lineage)


def _zip(call: Call, scope: Scope) -> Value:
    """Null when one of the inputs is, of which the type of all does not tell."""
    inputs, defaults = _needed(call, "inputs", scope), _option(call, "defaults", scope)
    inner = union([inputs.item.item, *([defaults.item] if defaults else [])])
    return Value(array_of(array_of(inner)).type, "null", lineage(inputs, inner))


def _range(call: Call, scope: Scope) -> Value:
    values = [type_of(item, scope) for item in call.args]
    return Value(DataType("array", item=DataType("int")), "never", lineage(*values))


_SPECIAL: dict[str, Callable[[Call, Scope], Value]] = {
    "$cond": _cond,
    "$switch": _switch,
    "$map": _map,
    "$filter": _filter,
    "$reduce": _reduce,
    "$getField": _get_field,
    "$setField": _set_field,
    "$unsetField": _set_field,
    "$objectToArray": _object_to_array,
    "$convert": _convert,
    "$dateFromString": _date_from_string,
    "$dateToString": _date_to_string,
    "$dateToParts": _date_to_parts,
    "$zip": _zip,
    "$range": _range,
}
