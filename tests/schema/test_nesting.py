"""Documents that are nested too deep, hold themselves, or are too wide, are refused."""

from __future__ import annotations

from typing import Any

import pytest

from xrepo_nb.core.errors import XRepoValidationError
from xrepo_nb.repos.documents import copied
from xrepo_nb.schema.inference import infer


def within(depth: int, wrap: Any) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


def cyclic_list() -> list[Any]:
    found: list[Any] = [1]
    found.append(found)
    return found


def cyclic_document() -> dict[str, Any]:
    found: dict[str, Any] = {"a": 1}
    found["b"] = found
    return found


@pytest.mark.parametrize(
    "value",
    [
        cyclic_list(),
        cyclic_document(),
        within(1000, lambda value: [value]),
        within(100_000, lambda value: {"a": value}),
        within(40, lambda value: [value, value]),
        within(40, lambda value: {"a": value, "b": value}),
    ],
    ids=["cyclic list", "cyclic document", "deep list", "deep document", "doubled list", "doubled document"],
)
def test_endless_documents(value: Any) -> None:
    with pytest.raises(XRepoValidationError, match="'x' is nested deeper than 500 levels"):
        infer([{"id": 1, "x": value}])


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"a": value}])
def test_depth_within_the_bound_is_kept(wrap: Any) -> None:
    value = within(300, wrap)
    assert infer([{"x": value}]).frame["x"].to_list() == [value]


def test_too_many_fields() -> None:
    with pytest.raises(XRepoValidationError, match="100,000 fields"):
        infer([{f"k{i}": i for i in range(100_000)}])
    with pytest.raises(XRepoValidationError, match="20,001 fields"):
        infer([{"id": 1}, {f"k{i}": i for i in range(20_000)}])
    wide = {f"k{i}": i for i in range(100_000)}
    found = infer([{"id": 1, "x": wide}])
    assert str(found.schema.field("x").type) == "mixed"  # type: ignore[union-attr]
    assert found.frame["x"].to_list() == [wide]


def test_names_that_no_column_can_have() -> None:
    with pytest.raises(XRepoValidationError, match="a field name"):
        infer([{"\ud800": 1}])


@pytest.mark.parametrize("value", [cyclic_list(), cyclic_document()])
def test_copies_of_what_holds_itself(value: Any) -> None:
    with pytest.raises(XRepoValidationError, match="nested deeper"):
        copied(value)
