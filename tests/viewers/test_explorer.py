"""The explorer: clicks become questions that can be read, and the repo answers them."""

from __future__ import annotations

from typing import Any

import pytest

from xrepo_nb.governance.identity import Identity, acting_as
from xrepo_nb.repos.materialized import MaterializedRepo
from xrepo_nb.viewers import explore, view, widget
from xrepo_nb.viewers.explorer import Explorer, ExplorerView, Question, explorer_widget
from xrepo_nb.viewers.table import TableView
from xrepo_nb.viewers.widgets import told


@pytest.fixture
def repo() -> MaterializedRepo[Any]:
    rows = [{"_id": i, "name": f"n{i % 3}", "size": float(i)} for i in range(25)]
    return MaterializedRepo(data=rows, name="things")


def _explorer(repo: MaterializedRepo[Any]) -> Explorer:
    return Explorer(repo, ExplorerView(TableView(repo.schema, (), name="things"), "things"))


async def test_a_question_is_answered_by_a_page_of_rows(repo: MaterializedRepo[Any]) -> None:
    view = await _explorer(repo).ask(Question().sorted_by("size").sorted_by("size").at(10))
    assert [row["_id"] for row in view.table.rows] == list(range(14, 4, -1))
    assert view.table.total == 25
    assert view.table.caption() == "rows 11 to 20 of 25"


async def test_the_question_is_code_that_gives_the_same_rows(repo: MaterializedRepo[Any]) -> None:
    question = Question().filtered("name", "n1").filtered("size", "> 10").sorted_by("_id")
    view = await _explorer(repo).ask(question)
    code = question.code("things", repo.schema)
    assert code == (
        "await things.list({'name': {'$regex': 'n1', '$options': 'i'}, 'size': {'$gt': 10.0}}, "
        "sort=[('_id', 1)], limit=10)"
    )
    rows = await eval(code.removeprefix("await "), {"things": repo})
    assert [row["_id"] for row in rows] == [row["_id"] for row in view.table.rows]
    assert code.replace("'", "&#x27;") in view.to_html()


async def test_a_wrong_filter_keeps_the_rows_and_says_why(repo: MaterializedRepo[Any]) -> None:
    explorer = _explorer(repo)
    await explorer.ask(Question())
    view = await explorer.ask(Question().filtered("size", "big"))
    assert "not of type float" in view.error
    assert len(view.table.rows) == 10
    assert 'value="big"' in view.to_html()
    assert (await explorer.ask(Question())).error == ""


async def test_a_failure_of_another_kind_is_said_and_logged(
    repo: MaterializedRepo[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise KeyError("canary")

    monkeypatch.setattr(type(repo), "list", fail)
    view = await _explorer(repo).ask(Question())
    assert view.error == "KeyError: see the log"
    assert "canary" in caplog.text


def test_clicks_move_the_question() -> None:
    sort = {"do": "sort", "field": "a", "value": ""}
    up = told(Question(skip=20), sort)
    assert up is not None
    assert (up.sort, up.skip) == ((("a", 1),), 0)
    down = told(up, sort)
    assert down is not None
    assert down.sort == (("a", -1),)
    assert told(down, sort) == Question()
    assert told(Question(), {"do": "page", "field": "next", "value": "10"}) == Question(skip=10)
    typed = told(Question(), {"do": "filter", "field": "a", "value": "x"})
    assert typed is not None
    assert told(typed, {"do": "filter", "field": "a", "value": " "}) == Question()


@pytest.mark.parametrize(
    "message", ["x", {}, {"do": "eval", "value": "1"}, {"do": "page", "value": "-1"}, None]
)
def test_what_makes_no_sense_is_ignored(message: Any) -> None:
    assert told(Question(), message) is None


def test_the_widget_shows_the_views_own_html_and_asks_as_its_maker() -> None:
    rows = [{"_id": i} for i in range(12)]
    repo = MaterializedRepo(data=rows, name="things")
    with acting_as(Identity("ann")):
        made = explorer_widget(repo)
    made._told(made, {"do": "page", "field": "next", "value": "10"}, [])
    assert made.html == made.view.to_html()
    assert made.code == "await things.list({}, skip=10, limit=10)"
    assert "rows 11 to 12 of 12" in made.html
    assert {entry.user_id for entry in repo.audit} == {"ann"}


def test_a_widget_has_its_html_for_where_there_is_no_kernel(repo: MaterializedRepo[Any]) -> None:
    data, _ = explorer_widget(repo)._repr_mimebundle_()
    assert data["text/html"].startswith('<div class="xr ')
    assert data["text/plain"].startswith("repo things: first 10 of 25 rows")
    assert "application/vnd.jupyter.widget-view+json" in data


def test_rows_and_tables_are_explored_whole() -> None:
    repo = MaterializedRepo(data=[{"_id": i, "n": None if i % 2 else i} for i in range(30)], name="things")
    whole = view(repo.sync.list({"_id__gte": 5})).widget()
    assert "first 10 of 25 rows" in whole.html
    assert whole.code == "await xr.MaterializedRepo(data=rows).list({}, limit=10)"
    table = repo.peek(12)
    assert table is not None
    assert "first 10 of 12 rows" in view(table).widget().html


async def test_explore_gives_the_widget_with_its_first_page(repo: MaterializedRepo[Any]) -> None:
    assert "first 10 of 25 rows" in (await explore(repo)).html
    assert "first 10 of 25 rows" not in widget(repo).html
    assert "_id" in (await explore(repo.schema)).html
