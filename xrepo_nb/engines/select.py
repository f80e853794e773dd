"""Which engine runs a plan: by name, or by the size and types of what it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from xrepo_nb.core.entry_points import EntryPoints
from xrepo_nb.core.errors import XRepoConfigurationError, XRepoUnsupportedError
from xrepo_nb.core.settings import settings, size_of
from xrepo_nb.engines.base import Engine, Inputs
from xrepo_nb.query import plan as p
from xrepo_nb.query.plan import Plan
from xrepo_nb.schema.table import Table

ENGINES = EntryPoints(
    "xrepo_nb.engines",
    {
        "document": "xrepo_nb.engines.document.engine:DocumentEngine",
        "polars": "xrepo_nb.engines.polars.engine:PolarsEngine",
        "duckdb": "xrepo_nb.engines.duckdb.engine:DuckDBEngine",
    },
)
"""Engines by name, ours and those of others."""

FEW_DOCUMENTS = 4_000
"""Up to here the interpreter answers sooner than a frame of raw documents is built."""

UNPACKED = 4
"""How many times larger than a Parquet file its rows are in memory, about."""


def engine_names() -> tuple[str, ...]:
    """The names that `engine=` takes. Scans the installed packages: a few milliseconds once."""
    return ("auto", *ENGINES.names())


@lru_cache(maxsize=32)
def get_engine(name: str) -> Engine:
    """The engine of that name, made when first asked for.

    Raises `XRepoConfigurationError` for a name that nothing is registered under.

    >>> get_engine("polars").name
    'polars'
    """
    make: Callable[[], Engine] | None = ENGINES.load(name)
    if make is None:
        raise XRepoConfigurationError(f"unknown engine {name!r}", asked=name, exists=engine_names())
    return make()


@dataclass(frozen=True, slots=True)
class Ready:
    """A plan with the engine that was chosen for it, and why; `collect` runs it."""

    engine: Engine
    reason: str
    collect: Callable[[], Table]


def ready(
    plan: Plan, inputs: Inputs, engine: str = "auto", variables: Mapping[str, Any] | None = None
) -> Ready:
    """The plan made ready on the engine that runs it on these inputs.

    `"auto"`: the interpreter for a few raw documents; else Polars where it has an exact
    lowering, DuckDB for what is larger than memory and for joins too large for Polars that a group
    reduces, the interpreter for the rest. An engine
    asked for by name is taken at its word: `XRepoUnsupportedError` tells what it cannot do.
    May read rows at hand for what is known of their values, about 0.3 ms a million.
    """
    declined = ""
    for name, reason in _candidates(plan, inputs, engine):
        found = get_engine(name)
        run = _prepared(found, plan, inputs, variables)
        if not isinstance(run, str):
            return Ready(found, reason or declined, run)
        declined = run
    raise XRepoUnsupportedError(
        f"the {engine} engine cannot run this plan: {declined}",
        asked=engine,
        hint='leave engine="auto", which picks an engine that can',
    )


def choose(plan: Plan, inputs: Inputs, engine: str = "auto") -> Engine:
    """The engine that `ready` chooses."""
    return ready(plan, inputs, engine).engine


def _candidates(plan: Plan, inputs: Inputs, engine: str) -> Iterator[tuple[str, str]]:
    """The engines to ask, best first, and why each; for none the reason is what the one before it lacks."""
    if engine != "auto":
        yield engine, "asked for"
        return
    if _few_documents(plan, inputs):
        yield "document", "few documents, not yet in a frame"
    if _outgrows_memory(plan, inputs):
        yield "duckdb", "files larger than the memory limit, and a stage that needs all their rows"
    yield "polars", "typed columns"
    if _reduces_a_join(plan):
        yield "duckdb", "a group of the rows of a join, of which it holds none"
    yield "document", ""


def _prepared(
    engine: Engine, plan: Plan, inputs: Inputs, variables: Mapping[str, Any] | None
) -> Callable[[], Table] | str:
    """How the engine runs the plan, or why it does not."""
    prepare = getattr(engine, "prepare", None)
    if prepare is not None:
        made: Callable[[], Table] | str = prepare(plan, inputs, variables)
        return made
    return engine.supports(plan, inputs) or partial(engine.collect, plan, inputs, variables)


def _few_documents(plan: Plan, inputs: Inputs) -> bool:
    tables = [inputs[name] for name in plan.sources()]
    return all(not t.is_frame and len(t.documents) <= FEW_DOCUMENTS for t in tables)


_GATHERING = (p.Group, p.Sort, p.Join, p.Lookup, p.Bucket, p.BucketAuto, p.SetWindowFields, p.Fill)


def _reduces_a_join(plan: Plan) -> bool:
    if not any(isinstance(node, p.Join) for node in plan.walk()):
        return False
    from xrepo_nb.engines.polars.fanout import reduces_a_join

    return reduces_a_join(plan)


def _outgrows_memory(plan: Plan, inputs: Inputs) -> bool:
    """Whether a plan gathers the rows of files that unpack to more than the memory limit."""
    files = [path for name in plan.sources() if inputs[name].is_lazy for path in inputs[name].origin]
    if not files or not any(isinstance(node, _GATHERING) for node in plan.walk()):
        return False
    size = sum(path.stat().st_size for path in files if path.exists())
    return size * UNPACKED > size_of(settings().memory_limit)
