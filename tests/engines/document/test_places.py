"""An error of the data tells the place in the query of the operator that met it."""

from __future__ import annotations

from typing import Any

import pytest
from asking import rows

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.engines.document import apply_update, evaluate_let
from xrepo_nb.query.parsing import parse_expression, parse_filter, parse_update

ROWS: list[dict[str, Any]] = [{"_id": 1, "n": 1, "s": "a"}, {"_id": 2, "n": None, "s": "b"}]

EXPRESSIONS: list[dict[str, Any]] = [
    {"$map": {"input": "$s", "in": 1}},
    {"$filter": {"input": "$s", "cond": True}},
    {"$reduce": {"input": "$s", "initialValue": 0, "in": 1}},
    {"$sortArray": {"input": "$s", "sortBy": 1}},
    {"$zip": {"inputs": ["$s"]}},
    {"$convert": {"input": "$s", "to": "date"}},
    {"$dateFromString": {"dateString": "$s"}},
    {"$dateToString": {"date": "$s"}},
    {"$dateAdd": {"startDate": "$s", "unit": "day", "amount": 1}},
    {"$divide": ["$n", 0]},
]


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=lambda given: next(iter(given)))
def test_of_an_operator(expression: dict[str, Any]) -> None:
    op = next(iter(expression))
    with pytest.raises(XRepoQueryError) as refused:
        rows([{"$match": {}}, {"$set": {"out": [expression]}}], ROWS)
    assert refused.value.at == f"pipeline[1].$set.out[0].{op}"


@pytest.mark.parametrize(
    "accumulator", [{"$mergeObjects": "$n"}, {"$concatArrays": "$n"}, {"$firstN": {"n": "$n", "input": "$n"}}]
)
def test_of_an_accumulator(accumulator: dict[str, Any]) -> None:
    op = next(iter(accumulator))
    with pytest.raises(XRepoQueryError) as refused:
        rows([{"$group": {"_id": {"n": "$s"}, "out": accumulator}}], ROWS)
    assert refused.value.at == f"pipeline[0].$group.out.{op}"


@pytest.mark.parametrize(
    ("output", "by"),
    [
        ({"$linearFill": "$n"}, "s"),
        ({"$derivative": {"input": "$n"}, "window": {"documents": [-1, 0]}}, "s"),
        ({"$integral": {"input": "$n"}}, "s"),
        ({"$sum": "$n", "window": {"range": [-1, 0]}}, "s"),
        ({"$push": "$n", "window": {"range": [-1, 0], "unit": "day"}}, "s"),
    ],
)
def test_of_a_window(output: dict[str, Any], by: str) -> None:
    op = next(iter(output))
    with pytest.raises(XRepoQueryError) as refused:
        rows([{"$setWindowFields": {"sortBy": {by: 1}, "output": {"out": output}}}], ROWS)
    assert refused.value.at == f"pipeline[0].$setWindowFields.output.out.{op}"


@pytest.mark.parametrize(
    "stage",
    [
        {"$fill": {"sortBy": {"s": 1}, "output": {"n": {"method": "linear"}}}},
        {"$fill": {"partitionBy": "$l", "sortBy": {"s": 1}, "output": {"n": {"method": "locf"}}}},
        {"$setWindowFields": {"partitionBy": "$l", "output": {"n": {"$sum": 1}}}},
    ],
)
def test_of_a_stage(stage: dict[str, Any]) -> None:
    with pytest.raises(XRepoQueryError) as refused:
        rows([stage], [row | {"l": [1]} for row in ROWS])
    assert refused.value.at == f"pipeline[0].{next(iter(stage))}"


@pytest.mark.parametrize("update", [{"$max": {"_id": 9}}, {"_id": 9}, [{"$set": {"_id": 9}}]])
def test_of_an_id_that_an_update_would_change(update: Any) -> None:
    with pytest.raises(XRepoQueryError, match="leave _id out") as refused:
        apply_update(ROWS, parse_filter({"_id": 1}), parse_update(update), multi=False)
    assert refused.value.at == "update._id"


def test_of_a_variable_of_the_whole_query() -> None:
    with pytest.raises(XRepoQueryError) as refused:
        evaluate_let({"v": parse_expression({"$add": ["$n", 1]})})
    assert refused.value.at == "let.v"
