"""`$lookup`: rows of another plan by value, or through stages that see the row's variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from xrepo_nb.core.missing import MISSING
from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions import compile_expression
from xrepo_nb.engines.document.meter import spend
from xrepo_nb.engines.document.paths import getter, with_value
from xrepo_nb.engines.document.predicates import on_path
from xrepo_nb.engines.document.stages.compile import Context, Row, Rows, Run, compile_plan, rows_once, stage
from xrepo_nb.query import plan as p
from xrepo_nb.query import predicates as q
from xrepo_nb.query.expressions import Call, Expr, FieldRef, Path, Variable
from xrepo_nb.query.walk import is_position

Right = Callable[[], list[Row]]
Find = Callable[[Row], list[Row]]
"""The right rows that may belong to a row; the stages of the lookup narrow them further."""
Index = dict[Any, list[int]]


@stage(p.Lookup)
def lookup(node: p.Lookup, context: Context) -> Run:
    inner = context.nested()
    bind = _binder(node, context, inner)
    find = _finder(node, context, inner)
    narrow = None if node.pipeline is None else compile_plan(node.pipeline, inner)

    def run(rows: Rows) -> Iterator[Row]:
        for row in rows:
            bind(row)
            found = find(row)
            spend(len(found) + 1)
            yield with_value(row, node.target, found if narrow is None else list(narrow(found)))

    return run


def _binder(node: p.Lookup, context: Context, inner: Context) -> Callable[[Row], None]:
    """Puts a row's `let` variables in force for the stages of the lookup."""
    bindings = [(name, compile_expression(value)) for name, value in node.let]

    def bind(row: Row) -> None:
        inner.variables.clear()
        inner.variables.update(context.variables)
        for name, evaluate in bindings:
            inner.variables[name] = evaluate(row, context.variables)

    return bind


def _finder(node: p.Lookup, context: Context, inner: Context) -> Find:
    if isinstance(node.right, p.Documents):  # they may name the row's variables
        run = compile_plan(node.right, inner)
        return lambda row: _selected(node, row, list(run(())))
    right = rows_once(node.right, context)
    if node.local and node.foreign:
        return _by_value(node.local, node.foreign, right)
    joined = _equality(node.pipeline, {name for name, _ in node.let})
    if joined is not None:
        return _by_variable(*joined, inner, right)
    return lambda row: right()


def _selected(node: p.Lookup, row: Row, right: list[Row]) -> list[Row]:
    return _by_value(node.local, node.foreign, lambda: right)(row) if node.local and node.foreign else right


def _by_value(local: Path, foreign: Path, right: Right) -> Find:
    """Finds the right rows whose foreign value equals the local one, through an index by value; a
    pattern is a value like others."""
    read = _wanted(local)
    index: Index = {}

    def find(row: Row) -> list[Row]:
        rows = right()
        if rows and not index:
            fill_index(index, rows, foreign)
        wanted = read(row)
        if len(wanted) == 1 and (type(wanted[0]) is str or type(wanted[0]) is int):
            return [rows[i] for i in index.get(wanted[0], ())]
        keys = {v.hash_key(item) for item in wanted}
        return [rows[i] for i in sorted({i for key in keys for i in index.get(key, ())})]

    return find


def _wanted(path: Path) -> Callable[[Row], list[Any]]:
    """Reads what a row looks for: its value, or the elements of its arrays; null where the path
    leads to nothing, or to empty arrays alone."""

    name = path[0]

    def field(row: Row) -> list[Any]:
        value = row.get(name)
        return (value or [None]) if isinstance(value, list) else [value]

    def values(row: Row) -> list[Any]:
        return elements_at(row, path) or [None]

    return field if len(path) == 1 else values


def elements_at(row: Row, path: Path) -> list[Any]:
    """The values at a path through arrays, those of an array at its end one by one."""
    return [item for end in _ends(row, path) for item in (end if isinstance(end, list) else (end,))]


def _ends(value: Any, path: Path) -> list[Any]:
    """What lies at the ends of a path, which goes on in each document of an array, or in the one
    element whose position it names."""
    if not path:
        return [value]
    if isinstance(value, list):
        if is_position(path[0]):
            return _ends(value[int(path[0])], path[1:]) if int(path[0]) < len(value) else []
        return [end for item in value if isinstance(item, dict) for end in _ends(item, path)]
    if not isinstance(value, dict) or path[0] not in value:
        return []
    return _ends(value[path[0]], path[1:])


def fill_index(index: Index, rows: list[Row], path: Path) -> None:
    """Enters the positions of rows under each value that equality at the path would match."""
    for i, row in enumerate(rows):
        for key in _offered(row, path):
            index.setdefault(key, []).append(i)


def _offered(row: Row, path: Path) -> set[Any]:
    keys: set[Any] = set()

    def collect(value: Any) -> bool:
        keys.add(v.hash_key(None if value is MISSING else value))
        return False

    on_path(path, collect)(row)
    return keys


def _equality(pipeline: p.Plan | None, names: set[str]) -> tuple[Path, Expr] | None:
    """The field and the variable whose equality the first stage demands, if it does."""
    stages = [] if pipeline is None else pipeline.chain()[1]
    first = stages[0] if stages else None
    if not isinstance(first, p.Match):
        return None
    for call in _conjuncts(first.predicate):
        for field, variable in (call.args, call.args[::-1]) if call.op == "$eq" else ():
            if isinstance(field, FieldRef) and isinstance(variable, Variable) and variable.name in names:
                return field.path, variable
    return None


def _conjuncts(predicate: Any) -> Iterator[Call]:
    """The calls that must all be true."""
    if isinstance(predicate, q.And):
        for item in predicate.items:
            yield from _conjuncts(item)
    elif isinstance(predicate, q.Truth):
        yield from _conjuncts(predicate.expr)
    elif isinstance(predicate, Call) and predicate.op == "$and":
        for arg in predicate.args:
            yield from _conjuncts(arg)
    elif isinstance(predicate, Call):
        yield predicate


def _by_variable(path: Path, variable: Expr, inner: Context, right: Right) -> Find:
    """Finds the right rows whose field equals a variable of the row, as `$eq` has it."""
    read, evaluate = getter(path), compile_expression(variable)
    index: Index = {}

    def find(row: Row) -> list[Row]:
        rows = right()
        if rows and not index:
            for i, other in enumerate(rows):
                index.setdefault(v.hash_key(read(other)), []).append(i)
        return [rows[i] for i in index.get(v.hash_key(evaluate(row, inner.variables)), ())]

    return find
