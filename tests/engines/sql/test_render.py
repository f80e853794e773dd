"""Plans as SQL: one plan, its text in every dialect, and its answer on those that run in process."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoUnsupportedError
from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.engines.duckdb.engine import DuckDBEngine
from xrepo_nb.engines.sql.dialects import DIALECTS
from xrepo_nb.engines.sql.render import render, supports
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Plan, Scan
from xrepo_nb.resources.sqlite import decode
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

SCHEMA = Schema.of(
    {
        "name": "people",
        "fields": {
            "id": {"type": "int", "required": True},
            "name": {"type": "string"},
            "age": {"type": "int"},
            "size": {"type": "float"},
            "ok": {"type": "bool"},
        },
    }
)
PEOPLE = [
    {"id": 1, "name": "Ann", "age": 41, "size": 1.5, "ok": True},
    {"id": 2, "name": "bob", "age": None, "size": None, "ok": False},
    {"id": 3, "name": None, "age": 17, "size": -0.5, "ok": None},
    {"id": 4, "name": "ann", "age": 41, "size": 2.0, "ok": True},
    {"id": 5, "name": "Zoë %", "age": -3, "size": 1.5, "ok": False},
]
SQLITE = """
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, age INT, size REAL, ok BOOLEAN);
"""


def plan_of(stages: list[dict[str, Any]]) -> Plan:
    return parse_pipeline(stages, Scan("people"))


def answers(plan: Plan, dialect: str) -> list[dict[str, Any]]:
    """What the dialect's own database answers."""
    if dialect == "duckdb":
        table = Table(documents=PEOPLE, schema=SCHEMA)
        return list(DuckDBEngine().collect(plan, {"people": table}).documents)
    rendered = render(plan, "sqlite", {"people": SCHEMA})
    connection = sqlite3.connect(":memory:")
    connection.executescript(SQLITE)
    connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", [tuple(p.values()) for p in PEOPLE])
    rows = connection.execute(rendered.sql, rendered.params).fetchall()
    connection.close()
    return list(decode(rows, rendered.schema).documents)


def canonical(rows: list[dict[str, Any]], ordered: bool) -> list[str]:
    text = [repr(sorted(row.items())) for row in rows]
    return text if ordered else sorted(text)


ROWS: list[tuple[list[dict[str, Any]], dict[str, str]]] = [
    (
        [{"$match": {"age": {"$gt": 18}}}, {"$project": {"id": 1}}],
        {
            "duckdb": 'SELECT "input0"."id" FROM "input0" WHERE "input0"."age" > CAST($p1 AS BIGINT)',
            "sqlite": 'SELECT "people"."id" FROM "people" '
            'WHERE "people"."age" > :p1 AND "people"."age" < \'\'',
            "postgres": 'SELECT "people"."id" FROM "people" WHERE "people"."age" > CAST($1 AS BIGINT)',
            "mysql": "SELECT `people`.`id` FROM `people` WHERE `people`.`age` > %(p1)s",
        },
    ),
    (
        [{"$match": {"name": "ann"}}, {"$project": {"id": 1}}],
        {
            "sqlite": 'SELECT "people"."id" FROM "people" '
            'WHERE "people"."name" COLLATE BINARY = :p1 COLLATE BINARY',
            "postgres": 'SELECT "people"."id" FROM "people" '
            'WHERE "people"."name" COLLATE "C" = CAST($1 AS TEXT) COLLATE "C"',
            "mysql": "SELECT `people`.`id` FROM `people` "
            "WHERE CAST(`people`.`name` AS BINARY) = CAST(%(p1)s AS BINARY)",
        },
    ),
    (
        [{"$sort": {"age": -1, "name": 1}}, {"$limit": 2}, {"$project": {"id": 1}}],
        {
            "sqlite": 'SELECT "people"."id" FROM "people" ORDER BY "people"."age" DESC, '
            '"people"."name" COLLATE BINARY LIMIT 2',
            "postgres": 'SELECT "people"."id" FROM "people" ORDER BY "people"."age" DESC NULLS LAST, '
            '"people"."name" COLLATE "C" NULLS FIRST LIMIT 2',
            "mysql": "SELECT `people`.`id` FROM `people` ORDER BY `people`.`age` DESC, "
            "CAST(`people`.`name` AS BINARY) LIMIT 2",
        },
    ),
    (
        [{"$group": {"_id": "$ok", "n": {"$sum": 1}, "oldest": {"$max": "$age"}}}],
        {
            "sqlite": 'SELECT "t2"."#k0" AS "_id", "t2"."n", "t2"."oldest" FROM '
            '(SELECT "people"."ok" AS "#k0", COUNT(*) AS "n", '
            'MAX("people"."age") AS "oldest" FROM "people" GROUP BY "people"."ok") AS "t2"',
        },
    ),
    ([{"$match": {"name": {"$ne": "ann"}}}], {}),
    ([{"$match": {"name": {"$nin": ["Ann", None]}}}], {}),
    ([{"$match": {"name": {"$regex": "nn"}}}], {}),
    ([{"$match": {"name": {"$regex": "^A"}}}], {}),
    ([{"$match": {"name": {"$regex": "%"}}}], {}),
    ([{"$match": {"age": {"$not": {"$gte": 18}}}}], {}),
    ([{"$match": {"age": {"$in": [41, 17.0, None, "x"]}}}], {}),
    (
        [
            {
                "$match": {
                    "age": {"$in": list(range(100))},
                    "name": {"$nin": [f"n{i}" for i in range(99)] + ["Ann"]},
                }
            }
        ],
        {},
    ),
    ([{"$match": {"age": {"$gt": 16.5, "$lt": 41.5}}}], {}),
    ([{"$match": {"age": {"$mod": [3, -1]}}}], {}),
    ([{"$match": {"age": "41"}}], {}),
    ([{"$match": {"age": {"$exists": False}}}], {}),
    ([{"$match": {"ok": {"$gt": False}}}], {}),
    ([{"$match": {"size": {"$lte": 1.5}}}], {}),
    ([{"$match": {"$or": [{"age": 17}, {"ok": None}], "$nor": [{"id": 9}]}}], {}),
    ([{"$match": {"$expr": {"$lt": ["$age", "$id"]}}}], {}),
    ([{"$match": {"$expr": {"$eq": ["$name", None]}}}], {}),
    ([{"$sort": {"size": 1, "id": -1}}, {"$skip": 1}, {"$limit": 3}], {}),
    ([{"$sort": {"name": 1}}, {"$match": {"id": {"$gt": 1}}}], {}),
    ([{"$limit": 4}, {"$match": {"ok": True}}, {"$sort": {"id": 1}}, {"$skip": 1}], {}),
    ([{"$group": {"_id": None, "s": {"$sum": "$age"}, "m": {"$avg": "$size"}, "l": {"$min": "$name"}}}], {}),
    ([{"$match": {"id": 99}}, {"$group": {"_id": None, "n": {"$sum": 1}}}], {}),
    ([{"$project": {"name": 0, "ok": 0}}, {"$sort": {"id": -1}}], {}),
    ([{"$addFields": {"adult": {"$gte": ["$age", 18]}}}, {"$match": {"adult": True}}], {}),
    ([{"$addFields": {"old": {"$cond": [{"$gt": ["$age", 40]}, "yes", "no"]}}}, {"$sort": {"id": 1}}], {}),
]


@pytest.mark.parametrize(("stages", "texts"), ROWS, ids=[repr(stages) for stages, _ in ROWS])
def test_a_plan_in_every_dialect(stages: list[dict[str, Any]], texts: dict[str, str]) -> None:
    plan = plan_of(stages)
    table = Table(documents=PEOPLE, schema=SCHEMA)
    expected = list(DocumentEngine().collect(plan, {"people": table}).documents)
    ordered = any("$sort" in stage for stage in stages)
    for dialect in DIALECTS:
        tables = {"people": "input0"} if dialect == "duckdb" else {}
        text = render(plan, dialect, {"people": SCHEMA}, tables=tables).sql
        if dialect in texts:
            assert text == texts[dialect], dialect
        if dialect in ("duckdb", "sqlite"):
            assert canonical(answers(plan, dialect), ordered) == canonical(expected, ordered), text


AMBIGUOUS = "a regular expression that SQL may read differently"
SEVERAL = "values of several types (int, string)"


@pytest.mark.parametrize(
    ("dialect", "stages", "reason"),
    [
        ("sqlite", [{"$unwind": "$name"}], "the stage Unwind in sqlite"),
        ("postgres", [{"$match": {"name": {"$regex": "a.c"}}}], "a regular expression in postgres"),
        ("mysql", [{"$project": {"x": {"$add": ["$age", 1]}}}], "the operator $add in mysql"),
        (
            "duckdb",
            [{"$match": {"name": {"$regex": "(?=a)"}}}],
            AMBIGUOUS,
        ),
        (
            "duckdb",
            [{"$project": {"x": {"$cond": ["$ok", "$age", "$name"]}}}],
            SEVERAL,
        ),
        ("duckdb", [{"$redact": "$$KEEP"}], "the stage Redact in duckdb"),
    ],
    ids=str,
)
def test_what_has_no_exact_sql_is_declined(dialect: str, stages: list[dict[str, Any]], reason: str) -> None:
    plan = plan_of(stages)
    assert supports(plan, dialect, {"people": SCHEMA}) == reason
    with pytest.raises(XRepoUnsupportedError, match="cannot run this plan"):
        render(plan, dialect, {"people": SCHEMA})


@pytest.mark.parametrize("dialect", DIALECTS)
def test_texts_are_bound_and_names_are_quoted(dialect: str) -> None:
    evil = """x"'`; DROP TABLE people; --%s"""
    schema = Schema.of({"fields": {evil: {"type": "string"}}})
    plan = parse_pipeline([{"$match": {evil: evil}}, {"$sort": {evil: 1}}], Scan("people"))
    rendered = render(plan, dialect, {"people": schema})
    values = rendered.params if isinstance(rendered.params, list) else list(rendered.params.values())
    assert values == [evil]
    quote = "`" if dialect == "mysql" else '"'
    escaped = evil.replace(quote, quote * 2).replace("%", "%%" if dialect == "mysql" else "%")
    assert rendered.sql.count(f"{quote}{escaped}{quote}") >= 2
    assert rendered.sql.replace(escaped, "").count(";") == 0


def test_an_evil_name_runs_as_a_name() -> None:
    evil = """x"'; DROP TABLE people; --"""
    table = Table(documents=[{evil: "a"}, {evil: "b"}])
    plan = parse_pipeline([{"$match": {evil: "b"}}], Scan("t"))
    assert list(DuckDBEngine().collect(plan, {"t": table}).documents) == [{evil: "b"}]


def test_unknown_dialects_are_refused() -> None:
    with pytest.raises(XRepoConfigurationError, match="there are: duckdb"):
        render(Scan("people"), "oracle", {"people": SCHEMA})


def test_a_plan_nested_too_deeply_is_declined() -> None:
    stages = [{"$limit": 5}, {"$sort": {"id": 1}}] * 400
    assert supports(plan_of(stages), "duckdb", {"people": SCHEMA}) == "the plan is nested too deeply"
