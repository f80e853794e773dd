"""SyncRepo: the repo's own methods, waited for."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap

import pytest

from xrepo_nb.core.errors import XRepoQueryError
from xrepo_nb.governance.identity import Identity, acting_as
from xrepo_nb.notebook.sync import SyncRepo
from xrepo_nb.repos.base import XRepo
from xrepo_nb.repos.materialized import MaterializedRepo

USERS = [{"_id": 1, "name": "Ann", "age": 30}, {"_id": 2, "name": "Bo", "age": 41}]


@pytest.fixture
def users() -> SyncRepo:
    return MaterializedRepo(data=USERS, name="users").sync


def test_reads_and_writes_need_no_await(users: SyncRepo) -> None:
    assert users.list({"age__gt": 35}) == [USERS[1]]
    assert users.count() == 2
    assert users.create({"_id": 3, "name": "Cy", "age": 5})["name"] == "Cy"
    assert users.delete(1) is True
    assert users.distinct("name") == ["Bo", "Cy"]
    assert users.frame({"age": 5}).height == 1


def test_a_stream_is_a_plain_iterator(users: SyncRepo) -> None:
    records = users.stream(sort="-age")
    assert next(records)["name"] == "Bo"
    assert [record["name"] for record in records] == ["Ann"]


def test_errors_are_the_repos_own(users: SyncRepo) -> None:
    with pytest.raises(XRepoQueryError, match="did you mean 'age'"):
        users.list({"agee": 3})


def test_what_needs_no_waiting_is_the_repos(users: SyncRepo) -> None:
    assert users.schema.names == ("_id", "name", "age")
    assert users.metadata.name == "users"
    assert users.to_pandas().shape == (2, 3)
    assert "to_pandas" in dir(users)
    with pytest.raises(AttributeError):
        _ = users.nonsense


def test_the_caller_is_whoever_acts_here() -> None:
    repo = MaterializedRepo(data=USERS, name="users")
    with acting_as(Identity("ann")):
        repo.sync.count()
    assert repo.audit[-1].user_id == "ann"


def test_every_asynchronous_method_is_there_with_its_parameters_and_text() -> None:
    passed_on = {"to_polars", "to_arrow", "to_pandas"}
    for name, method in inspect.getmembers(XRepo, inspect.isfunction):
        if name.startswith("_") or name in passed_on:
            continue
        if inspect.iscoroutinefunction(method) or name == "stream":
            plain = vars(SyncRepo)[name]
            assert inspect.signature(plain) == inspect.signature(method)
            assert plain.__doc__ == method.__doc__
            assert not inspect.iscoroutinefunction(plain)


def test_a_cell_may_use_it_while_its_loop_runs() -> None:
    script = """
        import asyncio
        from xrepo_nb.repos.materialized import MaterializedRepo

        async def cell():
            repo = MaterializedRepo(data=[{"_id": 1}, {"_id": 2}])
            waited = await repo.count()
            return waited, repo.sync.count(), [r["_id"] for r in repo.sync.stream()], await repo.count()

        print(asyncio.run(cell()))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout.strip(), done.stderr) == ("(2, 2, [1, 2], 2)", "")
