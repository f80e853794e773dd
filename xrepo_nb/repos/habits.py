"""What people who know frames, cursors and tables try on a repo, and what to write here instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xrepo_nb.core.errors import XRepoUnsupportedError, an, closest

if TYPE_CHECKING:
    from xrepo_nb.repos.foundation import RepoFoundation

_WRITTEN = {
    "await repo.list(limit=5)": "head limit take first show",
    'await repo.list(sort={"$natural": -1}, limit=5)': "tail last",
    "await repo.list({...}), or `await repo.frame({...})` for a Polars frame": "filter find query where loc",
    "await repo.list(limit=None), or `await repo.frame()` for a Polars frame": "all collect execute fetchall",
    "await repo.frame(fields=[...])": "select project drop",
    'await repo.list(sort="-field")': "sort sort_by sort_values order_by orderBy",
    'await repo.aggregate([{"$group": ...}])': "agg group_by groupBy groupby sum mean min max",
    'await repo.aggregate([{"$sortByCount": "$field"}])': "value_counts",
    'await repo.aggregate([{"$sample": {"size": 5}}])': "sample",
    'await repo.distinct("field")': "unique n_unique nunique",
    "await xr.join(name, {...}, on=...)": "join merge",
    "await repo.get_statistics()": "describe info stats summary",
    "repo.schema.names": "columns fields keys",
    "repo.schema": "dtypes types",
    "await repo.count(), and `repo.schema.names`": "shape size",
    "await repo.read(id)": "get get_by_id find_by_id",
    "await repo.create({...})": "add append insert insert_one save",
    "await repo.bulk_create([...])": "insert_many extend",
    "await repo.update(id, {...})": "update_one replace_one",
    "await repo.bulk_update([(id, {...}), ...])": "update_many",
    "await repo.delete(id)": "delete_one remove",
    "await repo.bulk_delete([...])": "delete_many",
    "await repo.to_pandas()": "df to_df to_frame",
    "viewers.export.to_csv(await repo.list(limit=None), path)": "to_csv write_csv",
}
"""What is written here, and the names by which others know it."""

_HERE = {name: written for written, names in _WRITTEN.items() for name in names.split()}


class NoSuchAttribute(XRepoUnsupportedError, AttributeError):
    """A repo has nothing of that name."""


class NotASequence(XRepoUnsupportedError, TypeError):
    """A repo is asked for its rows by methods."""


def no_attribute(repo: RepoFoundation, name: str) -> NoSuchAttribute:
    """The error for a name that a repo does not have.

    >>> from xrepo_nb.repos.materialized import MaterializedRepo
    >>> print(no_attribute(MaterializedRepo(data=[{"age": 3}]), "head"))
    a MaterializedRepo has no 'head'. Hint: write `await repo.list(limit=5)`
    """
    if name in _HERE:
        hint: str | None = f"write `{_HERE[name]}`"
    elif name in repo.schema.names:
        hint = _of_field(name)
    else:
        near = closest(name, (known for known in dir(repo) if not known.startswith("_")))
        hint = near and f"did you mean {near!r}?"
    return NoSuchAttribute(f"{an(type(repo).__name__)} has no {name!r}", asked=name, hint=hint)


def no_item(repo: RepoFoundation, asked: Any) -> NotASequence:
    """The error for `repo[asked]`."""
    if isinstance(asked, str | list | tuple):
        hint = _of_field(asked) if isinstance(asked, str) else f"write `await repo.frame(fields={asked!r})`"
    elif isinstance(asked, slice):
        hint = "write `await repo.list(skip=..., limit=...)`"
    else:
        hint = "write `await repo.read(id)`, or `await repo.list(skip=..., limit=1)`"
    return NotASequence(f"{an(type(repo).__name__)} is asked by methods, not by [ ]", hint=hint)


def no_iteration(repo: RepoFoundation) -> NotASequence:
    """The error for `for row in repo`."""
    return NotASequence(
        f"{an(type(repo).__name__)} gives its rows asynchronously",
        hint="write `async for row in repo`, or `for row in repo.sync.stream()`",
    )


def no_length(repo: RepoFoundation) -> NotASequence:
    """The error for `len(repo)` where the rows would have to be asked for."""
    return NotASequence(
        f"how many rows {an(type(repo).__name__)} has is not known before it is asked",
        hint="write `await repo.count()`",
    )


def _of_field(name: str) -> str:
    return f"write `await repo.frame(fields=[{name!r}])` for its values, `F({name!r})` in a condition"
