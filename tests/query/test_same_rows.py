"""Optimised and split plans give the rows of the plans they come from, on the exact interpreter."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from tests.conformance import cases
from xrepo_nb.core.errors import XRepoError
from xrepo_nb.engines.document import DocumentEngine
from xrepo_nb.query.optimize import optimize
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Merge, Out, Plan, Scan
from xrepo_nb.query.splitting import Takes, split
from xrepo_nb.query.text import describe
from xrepo_nb.resources.base import Capabilities
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.schema.types import DataType, Field

Rows = list[dict[str, Any]]
FAILED = "failed"


def answer(plan: Plan, tables: dict[str, Rows], let: dict[str, Any] | None = None) -> Any:
    """The rows, with types told apart; or that it failed."""
    inputs = {name: Table(documents=rows) for name, rows in tables.items()}
    for name in plan.sources():
        inputs.setdefault(name, Table(documents=[]))
    try:
        return repr(list(DocumentEngine().collect(plan, inputs, let).documents))
    except (XRepoError, ArithmeticError):
        return FAILED


def open_schema(rows: Rows) -> Schema:
    names = dict.fromkeys(name for row in rows for name in row)
    return Schema(tuple(Field(name, DataType("mixed"), "both") for name in names))


def answers_in_two_steps(plan: Plan, takes: Takes, tables: dict[str, Rows]) -> Any:
    """The residual's rows over those of the native part."""
    found = split(plan, takes)
    inputs = {name: Table(documents=rows) for name, rows in tables.items()}
    try:
        native = DocumentEngine().collect(found.native, inputs)
        (source,) = found.native.sources()
        return repr(list(DocumentEngine().collect(found.residual, inputs | {source: native}).documents))
    except (XRepoError, ArithmeticError):
        return FAILED


@pytest.mark.skipif(not cases.FOLDER.is_dir(), reason="the conformance cases are not there")
def test_on_the_conformance_cases() -> None:
    differing = []
    for case in cases.load("cases"):
        text = repr(case)
        if case["kind"] == "update" or any(name in text for name in ("$rand", "$sample", "$code", "$symbol")):
            continue
        try:
            plan, tables = cases.plan_of(case), cases.documents_of(case)
        except XRepoError:
            continue
        if isinstance(plan, (Out, Merge)):
            plan = plan.input
        let = cases.variables_of(case)
        before = answer(plan, tables, let)
        if before == FAILED:
            continue
        schemas = {name: open_schema(rows) for name, rows in tables.items()}
        differing += [
            case["id"] for known in ({}, schemas) if answer(optimize(plan, known), tables, let) != before
        ]
    assert differing == []


class Chance:
    """Random rows and pipelines over few names and values, so that they meet often."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.pick = self.random.choice

    def scalar(self) -> Any:
        return self.pick([None, 0, 1, 1, 2, 2, 1.0, 0.5, "a", "b", True])

    def value(self) -> Any:
        return self.pick(
            [
                self.scalar,
                self.scalar,
                self.scalar,
                lambda: [self.scalar() for _ in range(self.random.randrange(3))],
                lambda: {name: self.scalar() for name in "ab" if self.random.random() < 0.7},
                lambda: [{"a": self.scalar()}, {"b": self.scalar()}],
            ]
        )()

    def rows(self) -> Rows:
        return [
            {"_id": i} | {name: self.value() for name in "abc" if self.random.random() < 0.8}
            for i in range(self.random.randrange(2, 8))
        ]

    def path(self) -> str:
        return str(self.pick(["a", "b", "c", "x", "a", "b", "a.b", "b.a", "x.a", "_id", "c.0"]))

    def name(self) -> str:
        return str(self.pick(["a", "b", "x", "y", "a.b", "x.a"]))

    def some(self, make: Callable[[], Any], most: int = 2) -> list[Any]:
        return [make() for _ in range(self.random.randrange(1, most + 1))]

    def condition(self) -> Any:
        path = self.path()
        return self.pick(
            [
                lambda: {path: self.scalar()},
                lambda: {path: {self.pick(["$gt", "$gte", "$lt", "$ne", "$eq"]): self.scalar()}},
                lambda: {path: {"$in": self.some(self.scalar, 3)}},
                lambda: {path: {"$exists": self.pick([True, False])}},
                lambda: {path: {"$type": self.pick(["array", "null", "int", "double"])}},
                lambda: {path: {"$elemMatch": {"$gte": 1}}},
                lambda: {path: {"$elemMatch": {"a": self.scalar()}}},
                lambda: {path: {"$not": {"$gt": self.scalar()}}},
                lambda: {"$expr": {"$gt": ["$" + path, self.scalar()]}},
                lambda: {"$expr": {"$gt": [{"$add": ["$_id", 1]}, 2]}},
                lambda: {"$expr": {"$gt": [{"$divide": [4, "$_id"]}, 1]}},
            ]
        )()

    def filter(self) -> Any:
        if self.random.random() < 0.5:
            return self.condition()
        return {self.pick(["$and", "$or", "$nor", "$and"]): self.some(self.condition, 3)}

    def expression(self) -> Any:
        return self.pick(
            [
                lambda: "$" + self.path(),
                lambda: "$" + self.pick("abc"),
                lambda: {"$literal": self.scalar()},
                lambda: {"$ifNull": ["$" + self.path(), 0]},
                lambda: {"$mergeObjects": [{"a": "$" + self.path(), "b": 1}]},
                lambda: {"$cond": [self.pick([True, False, "$a"]), "$b", {"$add": [1, 2]}]},
            ]
        )()

    def fields(self, make: Callable[[], Any]) -> Any:
        return {self.name(): make() for _ in range(self.random.randrange(1, 4))}

    def stage(self) -> Any:
        number = self.random.randrange
        return self.pick(
            [
                *[lambda: {"$match": self.filter()}] * 5,
                lambda: {"$addFields": self.fields(self.expression)},
                lambda: {"$project": self.fields(lambda: self.pick([1, 1, self.expression()]))},
                lambda: {"$project": self.fields(lambda: 0)},
                lambda: {"$unset": self.name()},
                *[lambda: {"$sort": {path: self.pick([1, -1]) for path in self.some(self.path)}}] * 2,
                lambda: {"$limit": number(1, 5)},
                lambda: {"$skip": number(3)},
                lambda: {
                    "$unwind": {
                        "path": "$" + self.path(),
                        "preserveNullAndEmptyArrays": self.pick([True, False]),
                    }
                },
                *[lambda: {"$group": {"_id": self.expression(), "a": {"$push": "$b"}, "n": {"$sum": 1}}}] * 2,
                lambda: {
                    "$unionWith": self.pick(["u", {"coll": "u", "pipeline": [{"$match": self.filter()}]}])
                },
                lambda: {
                    "$lookup": {
                        "from": "u",
                        "localField": self.path(),
                        "foreignField": "a",
                        "as": self.name(),
                    }
                },
                lambda: {
                    "$lookup": {
                        "from": "u",
                        "let": {"v": "$a"},
                        "as": self.name(),
                        "pipeline": [{"$match": {"$expr": {"$eq": ["$a", "$$v"]}}}, {"$project": {"b": 1}}],
                    }
                },
                lambda: {"$replaceWith": {"a": self.expression(), "x": self.expression()}},
                lambda: {"$count": "n"},
                lambda: {
                    "$setWindowFields": {
                        "partitionBy": "$" + self.path(),
                        "output": {self.name(): {"$sum": 1}},
                    }
                },
                lambda: {
                    "$facet": {"a": [{"$sortByCount": "$" + self.path()}], "b": [{"$match": self.filter()}]}
                },
            ]
        )()

    def looked_up(self) -> list[Any]:
        """A lookup whose rows are laid out and chosen from."""
        steps = self.pick([{}, {"pipeline": [{"$sort": {"b": 1}}, {"$limit": 2}]}])
        return [
            {"$lookup": {"from": "u", "localField": self.path(), "foreignField": "a", "as": "x"} | steps},
            {"$unwind": {"path": "$x", "preserveNullAndEmptyArrays": self.random.random() < 0.2}},
            {"$match": {"x.b": self.scalar(), "x.a": {"$exists": self.pick([True, False])}}},
        ]

    def plan(self) -> Plan | None:
        """A plan; None where the stages contradict themselves."""
        try:
            made = [self.looked_up() if self.random.random() < 0.1 else [self.stage()] for _ in range(5)]
            return parse_pipeline(
                [stage for some in made[: self.random.randrange(1, 6)] for stage in some], Scan("t")
            )
        except XRepoError:
            return None

    def subset(self, names: str) -> frozenset[str]:
        return frozenset(name for name in names.split() if self.random.random() < 0.7)

    def source(self) -> Capabilities:
        return Capabilities(
            filters=self.subset("Compare In And Or Not Truth Exists ElemMatch"),
            stages=self.subset("Match Project AddFields Sort Limit Skip Group Unwind Unset ReplaceRoot"),
            expressions=self.subset("$gt $ifNull $mergeObjects object $cond"),
            accumulators=self.subset("$sum $push"),
        )


@pytest.mark.parametrize("start", range(0, 3000, 1000))
def test_optimised_plans_give_the_same_rows(start: int) -> None:
    compared = 0
    for seed in range(start, start + 1000):
        chance = Chance(seed)
        tables, plan = {"t": chance.rows(), "u": chance.rows()}, chance.plan()
        before = FAILED if plan is None else answer(plan, tables)
        if plan is None or before == FAILED:
            continue
        compared += before != "[]"
        known = {name: open_schema(rows) for name, rows in tables.items()}
        for schemas in ({}, known):
            better = optimize(plan, schemas)
            assert answer(better, tables) == before, (seed, describe(plan), describe(better))
    assert compared > 300, compared


def test_split_plans_give_the_same_rows() -> None:
    compared = 0
    for seed in range(1000):
        chance = Chance(seed)
        tables, plan, source = {"t": chance.rows(), "u": chance.rows()}, chance.plan(), chance.source()
        if plan is None or sum(isinstance(node, Scan) for node in plan.walk()) > 1:
            continue
        before = answer(plan, tables)
        if before != FAILED:
            compared += before != "[]"
            assert answers_in_two_steps(plan, source, tables) == before, (seed, describe(plan))
    assert compared > 200, compared


@pytest.mark.parametrize("stages", [[{"$match": {"a": 1}}, {"$count": "n"}], [{"$count": "n"}]])
def test_rows_are_counted_though_no_column_is_read(stages: list[Any]) -> None:
    tables = {"t": [{"a": 1, "b": 2}, {"a": 1}, {"b": 3}]}
    plan = parse_pipeline(stages, Scan("t"))
    assert answer(optimize(plan, {"t": open_schema(tables["t"])}), tables) == answer(plan, tables)
