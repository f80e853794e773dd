"""What DuckDB raises while a query runs, as our errors, which tell no value of the data."""

from __future__ import annotations

from xrepo_nb.core.errors import XRepoLimitError, XRepoQueryError
from xrepo_nb.core.settings import settings


def failed_check(error: Exception) -> XRepoQueryError | None:
    """The error of a check that our own SQL made, None when it is another."""
    from xrepo_nb.engines.sql.dialects.duckdb import FAILED

    text = str(error)
    return XRepoQueryError(text.partition(FAILED)[2].splitlines()[0]) if FAILED in text else None


def is_close(error: Exception) -> bool:
    """Whether numbers lay so close together that the statement must have `shifted` deviations."""
    from xrepo_nb.engines.sql.accumulators import CLOSE

    return CLOSE in str(error)


def data_failure(error: Exception) -> XRepoQueryError | None:
    """A failure on values that SQL does not treat as MongoDB does, None when it is another."""
    import duckdb

    if isinstance(error, duckdb.OutOfRangeException | duckdb.ConversionException):
        return XRepoQueryError("a number passes the range of 64 bits")
    if isinstance(error, duckdb.InvalidInputException):
        return failed_check(error) or XRepoQueryError("a value that a function of DuckDB does not take")
    if type(error).__module__.startswith("pyarrow"):
        return XRepoQueryError("a result that Arrow does not hold: it is nested too deeply")
    return failed_check(error)


def failure(error: Exception) -> Exception:
    """Any failure as ours; what is not DuckDB's stays."""
    import duckdb

    if isinstance(error, duckdb.OutOfMemoryException):
        return XRepoLimitError("the query needs more than memory_limit allows", hint="raise memory_limit")
    if isinstance(error, duckdb.InterruptException):
        return XRepoLimitError(
            f"the query ran longer than {settings().query_timeout:g} s", hint="raise XREPO_QUERY_TIMEOUT"
        )
    if isinstance(error, MemoryError):
        return XRepoLimitError("the query needs more memory than there is", hint="ask for less")
    if not isinstance(error, duckdb.Error):
        return error
    return data_failure(error) or XRepoQueryError(
        f"the query failed in DuckDB ({type(error).__name__})",
        hint='ask again with engine="document", which runs every plan',
    )
