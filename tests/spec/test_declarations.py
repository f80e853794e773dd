"""Every class, base, field, enum value, method and parameter that the specification declares, and
every method that it calls, is here as it says; one case a declaration.

What the specification requires may be left out here, and more may be given: whoever writes by the
specification is understood. `CORRECTIONS` are the places where the design departs from it.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from specification import (
    assigned,
    calls,
    classes,
    decorators,
    lines,
    methods,
    needs_specification,
    parameters,
)

import xrepo_nb as xr
from xrepo_nb.cache.memory import InMemoryRepo
from xrepo_nb.cache.redis import RedisRepo

pytestmark = needs_specification

CORRECTIONS = {
    "AuditEntry.timestamp": "aware UTC, where the specification has datetime.utcnow",
    "XRepoFactory._strategies": "one ordered registry that begins with the built-in strategies, not a list",
    "CacheManager.__init__(backend)": "`repo` stands first, as in a repo's own CacheManager(self, ttl=...);"
    " the name of a backend is taken there too; without one the settings name it, memory at first",
    "self._filter_data": "every read takes one road; there is no filtering of a list by itself",
    "cls._strategies.append": "the registry keeps the order itself",
    "cls._strategies.sort": "the registry keeps the order itself",
    "api_resource.get": "a REST source has it, and sources of other kinds have nothing to get",
}
"""Where the design departs from the specification, and why."""

EXTERNAL = {"BaseModel", "str", "Enum", "ABC", "Generic[T]", "Exception"}
"""Bases that are not ours."""


def named(name: str) -> Any:
    """What the package has under a name of the specification."""
    own = {"InMemoryRepo": InMemoryRepo, "RedisRepo": RedisRepo}
    return own[name] if name in own else getattr(xr, name)


class Record(xr.XObjPrototype):
    """A record of the instances below."""

    a: int


def everything() -> Any:
    rule = xr.ACLRule(role="*", permissions=list(xr.Permission))
    return xr.RepoMetadata(name="all", cache_enabled=True, acl_rules=[rule])


SCHEMA: Any = {"fields": {"a": {"type": "int"}}}

INSTANCES: dict[str, Callable[[], Any]] = {
    "XRepo": lambda: xr.MaterializedRepo(SCHEMA, [{"a": 1}], Record, metadata=everything()),
    "ConnectedRepo": lambda: xr.ConnectedRepo(
        SCHEMA, xr.ResourceFactory.create("memory", data=[{"a": 1}]), Record
    ),
    "MaterializedRepo": lambda: xr.MaterializedRepo(SCHEMA, [{"a": 1}], Record),
    "CacheManager": xr.CacheManager,
}
"""One of each class whose objects the specification gives attributes."""


def case(*values: Any, name: str) -> Any:
    return pytest.param(*values, id=name)


CLASSES = [case(c, name=f"{c.name}:{c.lineno}") for c in classes()]
BASES = [case(c.name, ast.unparse(b), name=f"{c.name}({ast.unparse(b)})") for c in classes() for b in c.bases]
FIELDS = [
    case(c.name, n.target.id, n.value, name=f"{c.name}.{n.target.id}")
    for c in classes()
    for n in c.body
    if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
]
VALUES = [
    case(c.name, n.targets[0].id, ast.literal_eval(n.value), name=f"{c.name}.{n.targets[0].id}")
    for c in classes()
    for n in c.body
    if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
]
METHODS = [case(c.name, m, name=f"{c.name}.{m.name}:{m.lineno}") for c in classes() for m in methods(c)]
PARAMETERS = [
    case(c.name, m.name, at, name, default, name=f"{c.name}.{m.name}({name}):{m.lineno}")
    for c in classes()
    for m in methods(c)
    for at, (name, default) in enumerate(parameters(m))
]
ATTRIBUTES = [case(c.name, a, name=f"{c.name}().{a}") for c in classes() for a in assigned(c)]


@pytest.mark.parametrize("declared", CLASSES)
def test_class(declared: ast.ClassDef) -> None:
    found = named(declared.name)
    assert inspect.isclass(found)
    assert found.__doc__ or not ast.get_docstring(declared)


@pytest.mark.parametrize(("owner", "base"), BASES)
def test_base(owner: str, base: str) -> None:
    kinds = [kind.__name__ for kind in named(owner).__mro__]
    wanted = base.partition("[")[0]
    assert wanted in kinds
    assert base in EXTERNAL or issubclass(named(owner), named(base))


@pytest.mark.parametrize(("owner", "name", "default"), FIELDS)
def test_field(owner: str, name: str, default: ast.expr | None) -> None:
    fields = getattr(named(owner), "model_fields", {})
    if name not in fields:
        assert hasattr(INSTANCES[owner]() if owner in INSTANCES else named(owner), name)
    elif default is not None and f"{owner}.{name}" not in CORRECTIONS:
        assert fields[name].get_default(call_default_factory=True) == ast.literal_eval(default)


def test_the_time_of_an_entry_is_aware() -> None:
    assert datetime.now(UTC) - xr.AuditEntry(operation="read").timestamp < timedelta(minutes=1)


@pytest.mark.parametrize(("owner", "name", "value"), VALUES)
def test_enum_value(owner: str, name: str, value: Any) -> None:
    assert getattr(named(owner), name).value == value


def test_an_enum_has_no_other_value() -> None:
    for declared in classes():
        if "Enum" in map(ast.unparse, declared.bases):
            names = {n.targets[0].id for n in declared.body if isinstance(n, ast.Assign)}  # type: ignore[attr-defined]
            assert {member.name for member in named(declared.name)} == names


@pytest.mark.parametrize(("owner", "declared"), METHODS)
def test_method(owner: str, declared: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    kind = named(owner)
    found, marks = inspect.getattr_static(kind, declared.name), decorators(declared)
    assert isinstance(found, classmethod) == ("classmethod" in marks)
    assert isinstance(found, property) == ("property" in marks)
    if isinstance(found, property):
        assert declared.name in kind.__abstractmethods__
        return
    called = getattr(kind, declared.name)
    assert inspect.iscoroutinefunction(called) == isinstance(declared, ast.AsyncFunctionDef)
    if "abstractmethod" in marks and owner != "XRepo":
        assert declared.name in kind.__abstractmethods__
    if declared.args.kwarg is not None:
        given = inspect.signature(called).parameters.values()
        assert any(p.kind in (p.VAR_KEYWORD, p.KEYWORD_ONLY) or p.default is not p.empty for p in given)


@pytest.mark.parametrize(("owner", "method", "at", "name", "default"), PARAMETERS)
def test_parameter(owner: str, method: str, at: int, name: str, default: ast.expr | None) -> None:
    given = [p for p in signature(named(owner), method) if p.name not in ("self", "cls")]
    found = next(p for p in given if p.name == name)
    assert given.index(found) == at or f"{owner}.{method}({name})" in CORRECTIONS
    if default is not None and f"{owner}.{method}({name})" not in CORRECTIONS:
        assert found.default == ast.literal_eval(default)


def signature(owner: type[Any], method: str) -> list[inspect.Parameter]:
    return list(inspect.signature(getattr(owner, method)).parameters.values())


@pytest.mark.parametrize(("owner", "name"), ATTRIBUTES)
def test_attribute(owner: str, name: str) -> None:
    assert hasattr(INSTANCES[owner](), name)


COLLABORATORS: dict[str, type[Any]] = {
    "self._acl_manager": xr.ACLManager, "self._audit_logger": xr.AuditLogger,
    "self._stats_collector": xr.StatsCollector, "self._cache": InMemoryRepo, "self.resource": xr.XResource,
    "resource": xr.XResource, "mongo_resource": xr.XResource, "api_resource": xr.XResource,
    "inspector": xr.XInspector, "model_registry": xr.XRegistry, "cache_manager": xr.CacheManager,
    "user": xr.XObjPrototype, "user_repo": xr.XRepo, "user_order_view": xr.XRepo,
    "strategy": xr.RepoCreationStrategy, "ResourceFactory": xr.ResourceFactory,
    "XRepoFactory": xr.XRepoFactory, "cls._strategies": type(xr.XRepoFactory._strategies),
}  # fmt: skip
"""What the specification calls its objects."""

PLAIN = {"inputs", "kwargs", "schema", "schemas", "aggregations", "aggregation_config", "join_config",
         "source_name", "field_info", "source_repos", "results", "search_term", "super()", "str(value)",
         "schema['fields'][field]", "schema.get('fields', {})"}  # fmt: skip
"""Dicts, lists and text."""

PYTHON = {"ValueError", "TypeVar", "Field", "super", "getattr", "hasattr", "list", "print", "str"}
GENERATED = {"UserModel"}
"""Models that the inspector makes in an example; the examples run."""


def is_ours(call: ast.Call) -> bool:
    """Whether the call is of something that the package has to have."""
    text = ast.unparse(call.func)
    return text not in {*CORRECTIONS, *PYTHON, *GENERATED} and text.rpartition(".")[0] not in PLAIN


CALLS = [
    case(call, owner, name=f"{ast.unparse(call.func)}:{call.lineno}")
    for call, owner in calls()
    if is_ours(call)
]


@pytest.mark.parametrize(("call", "owner"), CALLS)
def test_call(call: ast.Call, owner: str) -> None:
    receiver, _, method = ast.unparse(call.func).rpartition(".")
    if not receiver:
        assert accepts(named(method), call)
        return
    kind = named(owner) if receiver in ("self", "cls") else COLLABORATORS[receiver]
    bound = inspect.isfunction(inspect.getattr_static(kind, method))
    assert accepts(getattr(kind, method), call, bound=bound)


def accepts(called: Any, call: ast.Call, *, bound: bool = False) -> bool:
    """Whether it takes the arguments of the call, whatever their values."""
    before = [None] if bound else []
    named_ones = {word.arg: None for word in call.keywords if word.arg is not None}
    signature = inspect.signature(called)
    bind = signature.bind_partial if has_spread(call) else signature.bind
    try:
        bind(*before, *[None for _ in call.args], **named_ones)
    except TypeError:
        return False
    return True


def has_spread(call: ast.Call) -> bool:
    return any(word.arg is None for word in call.keywords)


def test_every_correction_is_of_something_declared() -> None:
    declared = {
        *(f"{c}.{n}" for c, n, _ in (p.values for p in FIELDS)),
        *(f"{c}.{n}" for c, n, _ in (p.values for p in VALUES)),
        *(f"{c}.{m}({n})" for c, m, _, n, _ in (p.values for p in PARAMETERS)),
        *(ast.unparse(call.func) for call, _ in calls()),
    }
    assert set(CORRECTIONS) <= declared


def test_the_specification_was_read() -> None:
    assert len(lines()) > 900
    assert {c.name for c in classes()} >= {"XRepo", "XRepoFactory", "CacheManager", "XRepoError"}
    assert (len(CLASSES), len(METHODS), len(PARAMETERS)) == (19, 45, 93)
