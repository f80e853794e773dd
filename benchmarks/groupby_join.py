"""The questions of db-benchmark, written as pipelines, against hand-written Polars (the faster of in-memory
and streaming) and DuckDB: ten on grouping, five on joining. Results are materialised as frames
by all. Text columns that are grouped by have codes after the first two times, which are not among those
counted; one question is also asked of a new table each time. Peak memory is that of a process that reads
the data and asks the question once."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from benchmarks.timing import Row, compare, peak_mb, show
from xrepo_nb.engines.select import ready
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Plan, Scan
from xrepo_nb.schema.table import Table

ROWS = 10_000_000
GROUPS = 100
TARGET, MEMORY = 1.10, 1.25

Pipeline = list[dict[str, Any]]
Frames = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Question:
    """One question in three languages."""

    name: str
    pipeline: Pipeline
    polars: Callable[[dict[str, pl.LazyFrame]], pl.LazyFrame]
    sql: str


def _grouped(name: str, by: Sequence[str], outputs: dict[str, Any], *exprs: pl.Expr, sql: str) -> Question:
    key = f"${by[0]}" if len(by) == 1 else {column: f"${column}" for column in by}
    pipeline = [{"$group": {"_id": key} | outputs}]
    select = ", ".join(by)
    return Question(
        name,
        pipeline,
        lambda frames: frames["x"].group_by(by).agg(exprs),
        f"SELECT {select}, {sql} FROM x GROUP BY {select}",
    )


def _sums(*columns: str) -> dict[str, Any]:
    return {column: {"$sum": f"${column}"} for column in columns}


_LARGEST = {"$maxN": {"input": "$v3", "n": 2}}
_REGRESSION = {
    "x": {"$avg": "$v1"},
    "y": {"$avg": "$v2"},
    "xy": {"$avg": {"$multiply": ["$v1", "$v2"]}},
    "xx": {"$avg": {"$multiply": ["$v1", "$v1"]}},
    "yy": {"$avg": {"$multiply": ["$v2", "$v2"]}},
}


def _covariance(product: str, one: str, other: str) -> dict[str, Any]:
    return {"$subtract": [product, {"$multiply": [one, other]}]}


_R2 = {
    "$divide": [
        {"$pow": [_covariance("$xy", "$x", "$y"), 2]},
        {"$multiply": [_covariance("$xx", "$x", "$x"), _covariance("$yy", "$y", "$y")]},
    ]
}

GROUPING = [
    _grouped("q1 sum by id1", ["id1"], _sums("v1"), pl.sum("v1"), sql="sum(v1)"),
    _grouped("q2 sum by id1, id2", ["id1", "id2"], _sums("v1"), pl.sum("v1"), sql="sum(v1)"),
    _grouped(
        "q3 sum, mean by id3",
        ["id3"],
        _sums("v1") | {"v3": {"$avg": "$v3"}},
        pl.sum("v1"),
        pl.mean("v3"),
        sql="sum(v1), avg(v3)",
    ),
    _grouped(
        "q4 three means by id4",
        ["id4"],
        {v: {"$avg": f"${v}"} for v in ("v1", "v2", "v3")},
        pl.mean("v1", "v2", "v3"),
        sql="avg(v1), avg(v2), avg(v3)",
    ),
    _grouped(
        "q5 three sums by id6",
        ["id6"],
        _sums("v1", "v2", "v3"),
        pl.sum("v1", "v2", "v3"),
        sql="sum(v1), sum(v2), sum(v3)",
    ),
    _grouped(
        "q6 median, deviation by id4, id5",
        ["id4", "id5"],
        {"m": {"$median": {"input": "$v3", "method": "approximate"}}, "s": {"$stdDevSamp": "$v3"}},
        pl.col("v3").quantile(0.5, "lower").alias("m"),
        pl.col("v3").std().alias("s"),
        sql="quantile_disc(v3, 0.5) AS m, stddev_samp(v3) AS s",
    ),
    Question(
        "q7 range by id3",
        [
            {"$group": {"_id": "$id3", "high": {"$max": "$v1"}, "low": {"$min": "$v2"}}},
            {"$project": {"range": {"$subtract": ["$high", "$low"]}}},
        ],
        lambda frames: frames["x"].group_by("id3").agg(range=pl.max("v1") - pl.min("v2")),
        "SELECT id3, max(v1) - min(v2) AS range FROM x GROUP BY id3",
    ),
    Question(
        "q8 two largest by id6",
        [
            {"$match": {"v3": {"$ne": None}}},
            {"$group": {"_id": "$id6", "v3": _LARGEST}},
            {"$unwind": "$v3"},
        ],
        lambda frames: frames["x"].drop_nulls("v3").group_by("id6").agg(pl.col("v3").top_k(2)).explode("v3"),
        "SELECT id6, v3 FROM (SELECT id6, unnest(max(v3, 2)) AS v3 FROM x WHERE v3 IS NOT NULL GROUP BY id6)",
    ),
    Question(
        "q9 regression by id2, id4",
        [
            {"$group": {"_id": {"id2": "$id2", "id4": "$id4"}} | _REGRESSION},
            {"$project": {"r2": _R2}},
        ],
        lambda frames: frames["x"].group_by("id2", "id4").agg(r2=pl.corr("v1", "v2") ** 2),
        "SELECT id2, id4, pow(corr(v1, v2), 2) AS r2 FROM x GROUP BY id2, id4",
    ),
    _grouped(
        "q10 sum, count by all six",
        ["id1", "id2", "id3", "id4", "id5", "id6"],
        {"v3": {"$sum": "$v3"}, "n": {"$sum": 1}},
        pl.sum("v3"),
        pl.len().alias("n"),
        sql="sum(v3), count(*)",
    ),
]


def _joined(name: str, right: str, on: str, how: str) -> Question:
    """A join as `$lookup` and `$unwind`; the right row comes as an embedded document."""
    unwind: Any = "$r" if how == "inner" else {"path": "$r", "preserveNullAndEmptyArrays": True}
    number = int(on[2])
    other = f"id{number + 3 if number <= 3 else number - 3}"
    lookup = {"from": right, "localField": on, "foreignField": on, "as": "r"}
    return Question(
        name,
        [{"$lookup": lookup}, {"$unwind": unwind}],
        lambda frames: frames["x"].join(frames[right], on=on, how=how),  # type: ignore[arg-type]
        f"SELECT x.*, r.{other} AS r_{other}, r.v2 FROM x {how} JOIN {right} AS r ON x.{on} = r.{on}",
    )


JOINING = [
    _joined("q1 small, inner on int", "small", "id1", "inner"),
    _joined("q2 medium, inner on int", "medium", "id2", "inner"),
    _joined("q3 medium, outer on int", "medium", "id2", "left"),
    _joined("q4 medium, inner on text", "medium", "id5", "inner"),
    _joined("q5 big, inner on int", "big", "id3", "inner"),
]


def grouping_data(rows: int, seed: int = 1) -> Frames:
    """The table of the grouping questions: keys of 100 values and of one value a hundred rows."""
    random = np.random.default_rng(seed)
    few, many = GROUPS, max(1, rows // GROUPS)
    ids = {name: random.integers(1, top + 1, rows) for name, top in _tops(few, many).items()}
    text = {"id1": 3, "id2": 3, "id3": 10}
    columns: dict[str, Any] = {
        name: _text(values, text[name]) if name in text else pl.Series(values) for name, values in ids.items()
    }
    columns["v1"] = random.integers(1, 6, rows)
    columns["v2"] = random.integers(1, 16, rows)
    columns["v3"] = np.round(random.random(rows) * 100, 6)
    return {"x": pl.DataFrame(columns)}


def _tops(few: int, many: int) -> dict[str, int]:
    return {"id1": few, "id2": few, "id3": many, "id4": few, "id5": few, "id6": many}


def _text(values: Any, digits: int) -> pl.Series:
    return ("id" + pl.Series(values).cast(pl.String).str.zfill(digits)).alias("")


def joining_data(rows: int, seed: int = 2) -> Frames:
    """The tables of the joining questions: one as large as the left one, one a thousandth, one a millionth;
    nine keys of ten are found."""
    random = np.random.default_rng(seed)
    sizes = {"small": max(10, rows // 1_000_000), "medium": max(100, rows // 1000), "big": rows}
    keys = {name: _keys(random, size) for name, size in sizes.items()}
    left = {
        f"id{i}": random.choice(keys[name][0], rows) for i, name in enumerate(("small", "medium", "big"), 1)
    }
    frames = {"x": _with_text(left).with_columns(v1=pl.Series(np.round(random.random(rows) * 100, 6)))}
    for depth, (name, size) in enumerate(sizes.items(), 1):
        own = {f"id{depth}": keys[name][1]}
        value = pl.Series(np.round(random.random(size) * 100, 6))
        frames[name] = _with_text(own).with_columns(v2=value)
    return frames


def _keys(random: Any, size: int) -> tuple[Any, Any]:
    """Keys that the left side draws from, and those of the right side: they share nine of ten."""
    every = random.permutation(np.arange(1, int(size * 1.1) + 1))
    return every[:size], every[len(every) - size :]


def _with_text(columns: dict[str, Any]) -> pl.DataFrame:
    """Each int key `id1` .. `id3` also as text `id4` .. `id6`."""
    texts = {f"id{int(name[2]) + 3}": _text(values, 0) for name, values in columns.items()}
    return pl.DataFrame(columns | texts)


def ask(plan: Plan, inputs: dict[str, Table]) -> pl.DataFrame:
    """Our answer."""
    return ready(plan, inputs).collect().frame


def _question(question: Question, frames: Frames, runs: int, *, anew: bool = False) -> Row:
    """`anew`: of a table that was never asked before."""
    plan = parse_pipeline(question.pipeline, Scan("x"))

    def tables() -> dict[str, Table]:
        return {name: Table(frame=frames[name]) for name in plan.sources()}

    kept = tables()
    for _ in range(2):
        ask(plan, kept)
    lazy = {name: frame.lazy() for name, frame in frames.items()}
    connection = duckdb.connect()
    for name, frame in frames.items():
        connection.register(name, frame.to_arrow())
        connection.execute(f"CREATE TABLE t_{name} AS SELECT * FROM {name}")
        connection.unregister(name)
        connection.execute(f"ALTER TABLE t_{name} RENAME TO {name}")
    return compare(
        f"{question.name}, first time" if anew else question.name,
        lambda: ask(plan, tables() if anew else kept),
        {
            "polars": lambda: question.polars(lazy).collect(engine="in-memory"),
            "polars streaming": lambda: question.polars(lazy).collect(engine="streaming"),
            "duckdb": lambda: pl.from_arrow(connection.sql(question.sql).to_arrow_table()),
        },
        target=None if anew else TARGET,
        runs=runs,
    )


_PROGRAM = """
import sys
from benchmarks import groupby_join as b
b.alone(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
"""


def _read(path: Path) -> pl.DataFrame:
    with path.open("rb") as file:  # an open file is read, where a path would be mapped
        return pl.read_ipc(file)


def alone(kind: str, number: int, folder: str, who: str) -> None:
    """Asks one question once, in a process of its own, for its peak memory."""
    question = (GROUPING if kind == "grouping" else JOINING)[number]
    plan = parse_pipeline(question.pipeline, Scan("x"))
    frames = {name: _read(Path(folder) / name) for name in plan.sources()}
    if who == "ours":
        ask(plan, {name: Table(frame=frame) for name, frame in frames.items()})
    else:
        question.polars({name: frame.lazy() for name, frame in frames.items()}).collect(engine="in-memory")


def _memory(kind: str, questions: Sequence[Question], frames: Frames) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, frame in frames.items():
            frame.write_ipc(Path(folder) / name)
        for number, question in enumerate(questions):
            ours, theirs = (peak_mb(_PROGRAM, kind, str(number), folder, who) for who in ("ours", "polars"))
            title = f"{question.name}: peak memory"
            rows.append(Row(title, ours, theirs, "polars", MEMORY, unit="MB"))
    return rows


def measure(*, quick: bool, rows: int | None = None, memory: bool | None = None) -> list[Row]:
    """All fifteen questions."""
    rows = rows or (200_000 if quick else ROWS)
    runs = 3 if quick else 5
    out: list[Row] = []
    for kind, questions, data in (("grouping", GROUPING, grouping_data), ("joining", JOINING, joining_data)):
        frames = data(rows)
        out += [_question(question, frames, runs) for question in questions]
        if kind == "grouping":
            out.append(_question(GROUPING[2], frames, runs, anew=True))
        if memory if memory is not None else not quick:
            out += _memory(kind, questions, frames)
    return out


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the table for a number of rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.groupby_join", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--memory", action="store_true", help="also measure peak memory: slow")
    options = parser.parse_args(argv)
    rows = measure(quick=False, rows=options.rows, memory=options.memory)
    show(f"db-benchmark, {options.rows:,} rows", rows)


if __name__ == "__main__":
    main(sys.argv[1:])
