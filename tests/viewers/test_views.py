"""What each viewer shows, and what it leaves alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from xrepo_nb.core.missing import MISSING
from xrepo_nb.governance.audit import AuditEntry, AuditLog
from xrepo_nb.governance.identity import Identity, acting_as
from xrepo_nb.governance.rules import ACLRule
from xrepo_nb.observe.stats import RepoStats
from xrepo_nb.repos.base import XRepo
from xrepo_nb.repos.join import JoinReport, JoinStep
from xrepo_nb.repos.materialized import MaterializedRepo
from xrepo_nb.repos.metadata import RepoMetadata
from xrepo_nb.repos.rows import Provenance, Rows
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.viewers import view
from xrepo_nb.viewers.audit import AuditView
from xrepo_nb.viewers.html import text
from xrepo_nb.viewers.repo import RepoView
from xrepo_nb.viewers.schema import SchemaView
from xrepo_nb.viewers.table import COLUMNS, TableView


def _cells(html: str) -> str:
    return html.partition("<tbody>")[2]


# Tables.


def test_null_missing_and_the_text_null_look_different() -> None:
    schema = Schema.of({"fields": {"a": {"type": "mixed"}}})
    shown = _cells(TableView(schema, [{"a": None}, {}, {"a": "null"}, {"a": MISSING}]).to_html())
    absent = '<td class="xr-null" title="no such field in this row">missing</td>'
    assert shown.count(absent) == 2
    assert '<td class="xr-null">null</td>' in shown
    assert "<td>null</td>" in shown


def test_columns_of_numbers_stand_to_the_right_nulls_included() -> None:
    table = Table(frame=pl.DataFrame({"n": [1, None], "s": ["a", "b"]}))
    html = view(table).to_html()
    assert '<td class="xr-n">1</td>' in html
    assert '<td class="xr-n xr-null">null</td>' in html
    assert "<td>a</td>" in html


@pytest.mark.parametrize(
    ("shown", "total", "skip", "caption"),
    [
        (10, 336_776, 0, "first 10 of 336,776 rows"),
        (10, 336_776, 20, "rows 21 to 30 of 336,776"),
        (3, 3, 0, "3 rows"),
        (1, 1, 0, "1 row"),
        (0, 0, 0, "no rows"),
        (10, None, 0, "first 10 rows"),
    ],
)
def test_the_caption_says_which_rows_of_how_many(
    shown: int, total: int | None, skip: int, caption: str
) -> None:
    assert TableView(Schema(()), [{}] * shown, total=total, skip=skip).caption() == caption


def test_wide_tables_are_cut_and_say_so() -> None:
    table = Table(frame=pl.DataFrame({f"c{i}": [1] for i in range(COLUMNS + 7)}))
    html = view(table).to_html()
    assert "7 more columns are not shown" in html
    assert html.count("<th ") == COLUMNS


def test_a_lazy_table_is_not_read() -> None:
    def fail(_: pl.DataFrame) -> pl.DataFrame:
        raise AssertionError("the rows were read")

    lazy = pl.LazyFrame({"a": [1]}).map_batches(fail, schema={"a": pl.Int64})
    html = view(Table(lazy=lazy, schema=Schema.of({"fields": {"a": {"type": "int"}}}))).to_html()
    assert "<span>a</span>" in html


def test_only_the_rows_shown_are_converted() -> None:
    frame = pl.DataFrame({"a": range(100_000)})
    table = Table(frame=frame)
    view(table)
    assert table._documents is None


def test_rows_tell_how_many_matched() -> None:
    rows = Rows([{"a": i} for i in range(100)], total=500, provenance=Provenance("things"))
    shown = view(rows)
    assert "first 10 of 100 rows; 500 match in all" in shown.to_html()
    assert shown.to_text().startswith("rows things: first 10 of 100 rows; 500 match in all\n")


def test_a_pipeline_that_writes_tells_how_much() -> None:
    repo = MaterializedRepo(data=[{"_id": 1}, {"_id": 2}], name="a")
    target = MaterializedRepo(data=[], name="b")
    done = repo.sync.aggregate([{"$out": "b"}], repos={"b": target})
    assert (done, done.written) == ([], 2)
    assert view(done).to_text() == "rows a: no rows; 2 records went to the target of the pipeline\n"


def test_a_repo_that_shows_nothing_says_why() -> None:
    rule = ACLRule(role="reader", permissions=["list"])
    repo = MaterializedRepo(data=[{"_id": 1}], name="a", metadata=RepoMetadata(name="a", acl_rules=[rule]))
    assert "its rules show you nothing of it" in view(repo).to_html()
    assert "<table" not in view(repo).to_html()
    with acting_as(Identity("ann", roles={"reader"})):
        assert "its rules show you nothing" not in view(repo).to_html()


def test_a_few_rows_are_shown_whole() -> None:
    months = Rows([{"month": i} for i in range(1, 13)], provenance=Provenance("flights"))
    assert view(months).to_html().count("<tr>") == 13
    assert view(months).to_text().startswith("rows flights: 12 rows\n")


def test_models_are_shown_under_the_names_of_their_source() -> None:
    from pydantic import BaseModel, Field

    class Person(BaseModel):
        kind: str = Field(alias="class")
        age: int | None = None

    html = view(Rows([Person.model_validate({"class": "first"})])).to_html()
    assert "<span>class</span>" in html
    assert "<span>kind</span>" not in html


# Schemas.


def test_nested_fields_keys_and_absence_are_listed() -> None:
    schema = Schema.of(
        {
            "name": "people",
            "primary_key": ["id"],
            "indexes": [{"name": "by_city", "fields": ["id"], "unique": True}],
            "fields": {
                "id": {"type": "int", "required": True},
                "home": {"type": "object", "fields": {"city": {"type": "string"}}},
                "tags": {"type": "array", "items": {"type": "string"}, "absence": "missing"},
            },
        }
    )
    html = view(schema).to_html()
    for expected in ("key", "always there", "padding-left:28px", "array&lt;string&gt;", "may be missing"):
        assert expected in html
    assert "unique index by_city on id" in html
    assert view(schema).to_text().splitlines()[1:3] == ["  id: int", "  home: object?"]


def test_lineage_is_drawn_with_a_line_for_each_origin() -> None:
    fields = {"total": {"type": "float", "lineage": ["orders.price", "orders.count"]}}
    html = view(Schema.of({"fields": fields})).to_html()
    assert html.count('class="xr-link"') == 2
    assert "<title>orders.price</title>" in html


# Statistics and the audit log.


def test_statistics_have_numbers_and_bars() -> None:
    stats = RepoStats(
        total_count=336_776,
        created_today=2,
        storage_size_bytes=3_400_000,
        field_cardinalities={"carrier": 16},
        query_performance={"list": 1.5, "count": 0.2},
    )
    html = view(stats).to_html()
    for expected in ("336,776", "3.4 MB", "1.5 ms", "200 µs", 'aria-label="list: 1.5 ms"'):
        assert expected in html
    assert html.index("1.5 ms") < html.index("200 µs")


def test_rows_that_nobody_counted_are_not_shown_as_none() -> None:
    assert "not counted" in view(RepoStats(query_performance={"list": 1.0})).to_html()


def test_statistics_without_values_tell_how_to_have_them_counted() -> None:
    told = "`await repo.get_statistics()` counts rows and values"
    assert told in view(RepoStats()).to_html()
    assert told not in view(RepoStats(total_count=1, field_cardinalities={"a": 1})).to_html()


def test_the_rows_of_an_empty_repo_in_memory_are_counted() -> None:
    assert "not counted" not in view(MaterializedRepo(data=[], name="none").statistics).to_html()


def test_the_audit_log_has_the_newest_first_and_says_what_it_leaves_out() -> None:
    moments = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(3)]
    entries = [AuditEntry(operation=f"op{i}", timestamp=m, user_id="ann") for i, m in enumerate(moments)]
    html = AuditView.of(AuditLog(entries, "users", dropped=4), entries=2).to_html()
    assert html.index("op2") < html.index("op1")
    assert "op0" not in html
    assert "newest 2 of 3, newest first; 4 older ones are no longer kept" in html
    assert '<time datetime="2026-01-01T02:00:00+00:00"' in html


def test_an_entry_of_many_changes_shows_the_first_and_says_how_many_more() -> None:
    entry = AuditEntry(operation="create", changes={f"field_{i}": i for i in range(30)})
    html = view(entry).to_html()
    assert "field_7" in html
    assert "field_8" not in html
    assert "and 22 more" in html


def test_a_join_of_many_sources_is_told_from_the_others() -> None:
    joined = " + ".join(["facts", *(f"dim{i}" for i in range(9))])
    step = JoinStep(joined, "dim9", (("a", "b"),), "left", 5, 4, 3, 2, 1)
    assert step.title == "facts + 9 more left join dim9"
    assert str(step).startswith("facts + 9 more left join dim9 on a = b: ")
    html = view(JoinReport((step,), 5)).to_html()
    assert ">facts + 9 more left join dim9</th>" in html
    assert f'title="{joined} left join dim9"' in html


def test_an_outcome_is_said_in_words_and_not_by_colour_alone() -> None:
    html = view(AuditEntry(operation="delete", outcome="denied")).to_html()
    assert '<td class="xr-bad">denied</td>' in html


# Repos.


@pytest.fixture
def people() -> MaterializedRepo[Any]:
    rules = [
        ACLRule(role="hr", permissions=["read", "list"]),  # type: ignore[list-item]
        ACLRule(
            role="peer",
            permissions=["list"],  # type: ignore[list-item]
            conditions={"rows": {"team": "$$user.team"}, "fields": {"deny": ["salary"]}},
        ),
    ]
    rows = [{"_id": i, "team": "ab"[i % 2], "salary": 90_000 + i} for i in range(4)]
    return MaterializedRepo(data=rows, metadata=RepoMetadata(name="people", acl_rules=rules))


def test_the_card_of_a_repo_shows_what_its_caller_may_see(people: MaterializedRepo[Any]) -> None:
    with acting_as(Identity("bo", {"peer"}, {"team": "a"})):
        seen = view(people).to_html()
    assert "2 rows" in seen
    assert "salary" not in seen
    assert "90,000" not in seen
    with acting_as(Identity("hr", {"hr"})):
        assert "90,003" in view(people).to_html()


def test_the_card_for_someone_without_rights_has_no_rows_and_no_error(people: MaterializedRepo[Any]) -> None:
    assert "90,000" not in view(people).to_html()


def test_statistics_count_the_rows_that_their_reader_may_see(people: MaterializedRepo[Any]) -> None:
    with acting_as(Identity("bo", {"peer"}, {"team": "a"})):
        assert people.statistics.total_count == 2
    assert "total_count" not in people.statistics.model_fields_set


def test_rows_and_fields_that_are_hidden_leave_no_trace() -> None:
    rule = ACLRule(
        role="peer",
        permissions=["list"],  # type: ignore[list-item]
        conditions={"rows": {"team": "a"}, "fields": {"deny": ["salary"]}},
    )
    seen = []
    for hidden in ([], [{"_id": 9, "team": "canary", "salary": "canary"}]):
        rows = [{"_id": 1, "team": "a", "salary": 10 + len(hidden)}, *hidden]
        repo = MaterializedRepo(data=rows, metadata=RepoMetadata(name="people", acl_rules=[rule]))
        with acting_as(Identity("bo", {"peer"})):
            shown = (repo, repo.schema, repo.statistics, repo.audit, repo.peek())
            seen.append([view(each).to_html() for each in shown])
    assert seen[0] == seen[1]


def test_the_card_marks_the_key_as_the_rows_do() -> None:
    repo = MaterializedRepo(data=[{"id": 1, "name": "Ann"}], name="people")
    assert "int · key" in view(repo).to_html()
    assert "int · key" in view(repo.sync.list()).to_html()


def test_the_card_says_when_loading_was_not_clean() -> None:
    assert "see `report`" in view(MaterializedRepo(data=[{"a": 1}, {"a": "x"}])).to_html()
    assert "see `report`" not in view(MaterializedRepo(data=[{"a": 1}])).to_html()


def test_showing_a_repo_calls_none_of_its_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    repo = MaterializedRepo(data=[{"_id": 1}], name="things")
    before = len(repo.audit)

    async def fail(*_: Any, **__: Any) -> Any:
        raise AssertionError("an operation ran")

    for name in ("list", "frame", "count", "_open", "_scan", "get_statistics"):
        monkeypatch.setattr(XRepo, name, fail)
    assert "things" in view(repo).to_html()
    assert view(repo).to_text() == "materialized repo things: _id: int"
    assert len(repo.audit) == before


def test_the_markup_of_a_page_of_rows_stays_small() -> None:
    table = Table(frame=pl.DataFrame({f"column_{i}": range(10) for i in range(19)}))
    assert len(view(table).to_html()) < 20_000


def test_escaping_is_the_default_for_names() -> None:
    assert text("<x>") in view(Schema.of({"name": "<x>", "fields": {}})).to_html()


def test_a_repo_in_memory_knows_how_many_rows_the_caller_sees() -> None:
    rows = [{"id": i, "mine": i % 2 == 0} for i in range(40)]
    repo = MaterializedRepo(data=rows, name="rows")
    assert "first 10 of 40 rows" in view(repo).to_html()
    repo.sync.delete(3)
    assert "first 10 of 39 rows" in view(repo).to_html()
    repo.set_rules([ACLRule(role="*", permissions=["list"], conditions={"rows": {"mine": True}})])
    assert "first 10 of 20 rows" in view(repo).to_html()


def test_a_repo_that_the_caller_may_not_list_shows_no_count() -> None:
    rule = ACLRule(role="boss", permissions=["admin"])
    repo = MaterializedRepo(data=[{"id": 1}], metadata=RepoMetadata(name="r", acl_rules=[rule]))
    assert repo.height is None and repo.peek() is None
    assert " row" not in view(repo).to_html().partition("</style>")[2]


@pytest.mark.parametrize(("source", "shown"), [("planes", 1), ("planes.db", 2)])
def test_a_source_of_the_same_name_is_not_said_twice(source: str, shown: int) -> None:
    schema = Schema.of({"fields": {"seats": {"type": "int"}}}).replace(name="planes", source=source)
    for drawn in (SchemaView(schema), RepoView("connected repo", "planes", schema)):
        assert drawn.body().partition("<table")[0].partition("xr-scroll")[0].count("planes") == shown
