"""Columns of types that only pandas or Arrow has: taken exactly, or as text that the report tells of."""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from xrepo_nb.core.errors import XRepoValidationError
from xrepo_nb.resources.tables import is_data, table_of
from xrepo_nb.schema.inference import infer


class Colour(enum.Enum):
    RED = "r"
    GREEN = 2


class Level(enum.IntEnum):
    LOW = 1


def read(given: Any) -> tuple[list[Any], dict[str, int]]:
    """The values of the column `a`, and what became of them."""
    made = table_of(given)
    return [row["a"] for row in made.table.documents], made.report["a"].coerced


PANDAS: dict[str, tuple[Any, list[Any], dict[str, int]]] = {
    "period": (pd.period_range("2024", "2025", freq="Y"), ["2024", "2025"], {"Period read as string": 2}),
    "interval": (pd.interval_range(0, 2), ["(0, 1]", "(1, 2]"], {"Interval read as string": 2}),
    "cut": (pd.cut([1, 5], [0, 2, 6]), ["(0, 2]", "(2, 6]"], {"Interval read as string": 2}),
    "sparse": (pd.arrays.SparseArray([0, 0, 1]), [0, 0, 1], {}),
    "complex": ([1j, 2 + 0j], [1j, 2 + 0j], {}),
    "category": (pd.Categorical(["x", None]), ["x", None], {}),
}


@pytest.mark.parametrize("given", PANDAS)
def test_columns_of_pandas(given: str) -> None:
    values, expected, coerced = PANDAS[given]
    assert read(pd.DataFrame({"a": values, "b": 1})) == (expected, coerced)


def test_a_series_is_one_column() -> None:
    series = pd.Series([1, None], name="a")
    assert is_data(series)
    assert read(series) == ([1.0, None], {})


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([Decimal(10**50)], type=pa.decimal256(60, 0)), [Decimal(10**50)]),
        (pa.RunEndEncodedArray.from_arrays([2], ["x"]), ["x", "x"]),
        (pa.array([[1, None]], type=pa.list_view(pa.int64())), [[1, None]]),
        (pa.array([(1, 2, 3)], type=pa.month_day_nano_interval()), [[1, 2, 3]]),
    ],
)
def test_columns_of_arrow(column: Any, expected: list[Any]) -> None:
    table = pa.table({"first": [0] * len(column), "a": column})
    for given in (table, table.to_reader(), table.to_batches()[0]):
        assert read(given)[0] == expected
    assert table_of(table).table.schema.names == ("first", "a")


def test_two_columns_of_one_name_are_refused() -> None:
    for given in (pa.table([[1], [2]], names=["a", "a"]), pd.DataFrame([[1, 2]], columns=["a", "a"])):
        with pytest.raises(XRepoValidationError, match=r"two columns named 'a'\. Hint: rename one"):
            table_of(given)


def test_a_stream_that_is_no_table_is_refused() -> None:
    with pytest.raises(XRepoValidationError, match=r"stream of a ChunkedArray is no table .* pyarrow\.table"):
        table_of(pa.chunked_array([[1, 2]]))


def test_a_lazy_frame_that_cannot_be_planned_is_refused() -> None:
    for given in (pl.LazyFrame({"a": [1]}).select("b"), pl.scan_csv("/nowhere/there-is-none.csv")):
        with pytest.raises(XRepoValidationError, match=r"frame cannot be planned: .*(\"b\"|No such file)"):
            table_of(given)


def test_enums_are_their_values_as_in_writes() -> None:
    found = infer([{"c": Colour.RED, "n": Colour.GREEN, "l": Level.LOW, "d": dt.date(2024, 1, 1)}])
    assert found.frame.row(0) == ("r", 2, 1, dt.date(2024, 1, 1))
    assert found.report["c"].coerced == {"Colour read as string": 1}
    assert found.report["n"].coerced == {"Colour read as int": 1}
    assert found.report["l"].coerced == {}
