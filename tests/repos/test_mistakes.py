"""What a newcomer gets wrong: each mistake is an `XRepoError` that says what to do instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import xrepo_nb as xr
from xrepo_nb import (
    ACLRule,
    Identity,
    MaterializedRepo,
    RepoMetadata,
    XRepoConfigurationError,
    XRepoError,
    XRepoValidationError,
    acting_as,
)


@pytest.fixture
async def people() -> Any:
    return await xr.open([{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bo"}], name="people")


@pytest.mark.parametrize("given", [5, [1], [(1,)], {1: {"name": "Cy"}}, "ab"])
async def test_updates_are_pairs(people: Any, given: Any) -> None:
    with pytest.raises(XRepoConfigurationError, match=r'Hint: write \[\(1, \{"name": "Ann"\}\), \.\.\.\]'):
        await people.bulk_update(given)
    assert [person.name for person in await people.list()] == ["Ann", "Bo"]


@pytest.mark.parametrize("given", [1, "12", {"id": 1}])
async def test_ids_are_several(people: Any, given: Any) -> None:
    with pytest.raises(XRepoConfigurationError, match=r"Hint: write \[1, 2, \.\.\.\]"):
        await people.bulk_delete(given)
    assert await people.count() == 2


@pytest.mark.parametrize("given", [1, "12", {"id": 3, "name": "Cy"}])
async def test_records_are_several(people: Any, given: Any) -> None:
    with pytest.raises(XRepoConfigurationError, match=r'Hint: write \[\{"name": "Ann"\}, \.\.\.\]'):
        await people.bulk_create(given)
    assert await people.count() == 2


async def test_several_may_be_any_that_can_be_counted(people: Any) -> None:
    assert len(await people.bulk_create(({"id": 3, "name": "Cy"},))) == 1
    assert await people.bulk_update({3: {"name": "Di"}}.items()) == 1
    assert await people.bulk_update([[3, {"name": "Ed"}]]) == 1
    assert await people.bulk_delete(range(1, 3)) == 2
    assert await people.bulk_delete({3}) == 1


async def test_an_engine_that_there_is_not_is_refused_also_where_none_is_needed(people: Any) -> None:
    for ask in (people.list, people.count, people.frame, people.find_one, people.explain):
        with pytest.raises(XRepoConfigurationError, match="unknown engine 'pollars'.*did you mean 'polars'"):
            await ask({}, engine="pollars")
    with pytest.raises(XRepoConfigurationError, match="unknown engine 'pollars'"):
        _ = [person async for person in people.stream(engine="pollars")]


async def test_a_write_that_does_not_fit_is_told_of_the_schema_and_not_of_models(people: Any) -> None:
    with pytest.raises(XRepoValidationError, match=r"name: Field required\. Hint: a repo's `schema` shows"):
        await people.create({"id": 3})


async def test_the_hint_for_a_skip_speaks_of_skipping(people: Any) -> None:
    with pytest.raises(XRepoConfigurationError, match="skip must be a whole number from 0 on") as caught:
        await people.list(skip=-1)
    assert "limit" not in str(caught.value)


async def test_an_option_that_there_is_not_is_refused() -> None:
    with pytest.raises(XRepoConfigurationError, match="no option 'nmae'.*did you mean 'name'"):
        await xr.XRepoFactory.create(data=[{"id": 1}], nmae="people")


async def test_nothing_has_no_fields_to_count() -> None:
    stats = await MaterializedRepo(data=[]).get_statistics()
    assert (stats.total_count, stats.field_cardinalities) == (0, {})


async def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(XRepoConfigurationError, match="no collections.*Hint: write into it first, or open"):
        await xr.open(tmp_path)


@pytest.mark.parametrize("target", ["", "  ", "csv://", "csv:///", "sqlite:///?table=t", "file://"])
async def test_a_target_without_a_name_is_refused_and_told_how_to_write_one(target: str) -> None:
    with pytest.raises(XRepoConfigurationError, match=r"is empty.*Hint: write .*'\.' is the current folder"):
        await xr.open(target)


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        ("csv", "file_path"), ("csv", "root"), ("csv", "pattern"), ("folder", "root"), ("folder", "pattern"),
        ("sqlite", "file_path"), ("duckdb", "root"), ("parquet", "file_path"),
    ],
)  # fmt: skip
def test_a_source_of_files_needs_a_name_that_is_not_empty(kind: str, option: str) -> None:
    needed = {"root": "datasets"} if kind == "folder" else {"file_path": "a"} if option == "root" else {}
    with pytest.raises(XRepoConfigurationError, match=f"{option} is empty"):
        xr.ResourceFactory.create(kind, **(needed | {option: " "}))


@pytest.mark.parametrize(
    "sort",
    [
        5,
        0,
        False,
        ("name", -1),
        [("name", "desc")],
        {"name": "descending"},
        [("name", 1, 2)],
        [["name"]],
        {"name": 0},
    ],
)
async def test_a_malformed_sort_is_told_how_to_write_one(people: Any, sort: Any) -> None:
    with pytest.raises(xr.XRepoQueryError, match=r'Hint: write \{"age": -1\}, .* or "-age"; 1 is ascending'):
        await people.list(sort=sort)


async def test_a_sort_by_f_and_an_empty_one_are_taken(people: Any) -> None:
    assert [p.id for p in await people.list(sort=-xr.F.id)] == [2, 1]
    assert (await people.find_one({}, sort=xr.F.name)).id == 1
    for empty in (None, [], {}, ""):
        assert len(await people.list(sort=empty)) == 2


async def test_a_list_where_one_value_is_compared_is_told_of_in(people: Any) -> None:
    with pytest.raises(xr.XRepoQueryError, match=r"compared with array.*Hint: .* write \$in"):
        await people.list({"name": ["Ann", "Bo"]})


@pytest.mark.parametrize("field", [3, None, ["name"]])
async def test_a_field_is_named_by_text(people: Any, field: Any) -> None:
    with pytest.raises(XRepoConfigurationError, match=r"the name of a field is text, not an? \w+"):
        await people.distinct(field)
    with pytest.raises(XRepoConfigurationError, match=r"the name of a field is text"):
        await people.frame(fields=[field])


async def test_one_field_needs_no_list(people: Any) -> None:
    assert (await people.frame(fields="name")).columns == ["name"]


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 10**30])
async def test_a_window_beyond_all_rows(people: Any, number: int) -> None:
    assert len(await people.list(limit=number)) == 2
    assert await people.list(skip=number) == []


@pytest.mark.parametrize("limit", [-1, "3", 1.5])
async def test_a_limit_of_the_audit_log_is_a_number(people: Any, limit: Any) -> None:
    with pytest.raises(XRepoConfigurationError, match="limit must be a whole number"):
        await people.get_audit_log(limit=limit)


async def test_an_unknown_way_with_errors_is_refused(people: Any) -> None:
    for ask in (people.bulk_create([{"id": 3}], on_error="skipp"), people.bulk_update([], on_error="ignore")):
        with pytest.raises(XRepoConfigurationError, match=r"on_error cannot be '\w+'; .*raise, skip"):
            await ask
    assert await people.count() == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": int}, "<class 'int'> is no model"),
        ({"model": "User"}, "'User' is no model"),
        ({"name": 3}, "the name of a repo is a text, not an int"),
        ({"name": ""}, "the name of a repo is empty"),
        ({"collection": ["a"]}, "the name of a collection is a text, not a list"),
    ],
)
async def test_what_open_takes(options: Any, message: str) -> None:
    with pytest.raises(XRepoConfigurationError, match=message):
        await xr.open([{"id": 1}], register=False, **options)


async def test_sources_of_one_name_are_no_join(people: Any) -> None:
    with pytest.raises(XRepoConfigurationError, match=r"two sources are called 'people'\. Hint: name each"):
        await xr.join("twice", [people, people], on="id")


async def test_a_schema_names_fields_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,age\nAnn,34\n")
    with pytest.raises(XRepoConfigurationError, match=r"has the field 'agee', and a has none; .*mean 'age'"):
        await xr.open(tmp_path / "a.csv", schema={"fields": {"agee": {"type": "int"}}}, register=False)


async def test_a_column_that_left_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name,age\nAnn,34\n")
    repo = await xr.open(path, register=False)
    path.write_text("name,city\nAnn,Oslo in Norway\n")
    with pytest.raises(
        XRepoValidationError, match=r"'age' of a was there .* and is gone now; there are: name"
    ):
        await repo.list()


async def test_an_unknown_field_of_a_record_is_named_with_the_nearest(people: Any) -> None:
    expected = r"unknown field 'nam'; there are: id, name\. Hint: did you mean 'name'\?"
    for write in (people.create({"id": 3, "nam": "Cy"}), people.update(1, {"nam": "Cy"})):
        with pytest.raises(XRepoValidationError, match=expected):
            await write
    with pytest.raises(XRepoValidationError, match=f"record 0 of 1: {expected}"):
        await people.bulk_create([{"id": 3, "nam": "Cy"}])
    assert await people.count() == 2


async def test_an_unknown_field_tells_nothing_of_hidden_ones() -> None:
    rule = xr.ACLRule(
        role="clerk", permissions=["list", "create", "update"], conditions={"fields": {"deny": ["salary"]}}
    )
    rows = [{"id": 1, "name": "Ann", "salary": None}]
    staff = await xr.open(rows, name="staff", rules=[rule], register=False)
    clerk = xr.Identity("cy", roles={"clerk"})
    for field in ("salary", "salery"):
        for write in (staff.create({"id": 2, field: 1}, clerk), staff.update(1, {field: 1}, clerk)):
            with pytest.raises(XRepoValidationError, match=f"unknown field '{field}'; there are: id, name$"):
                await write


@pytest.mark.parametrize(
    ("filters", "hint"),
    [({"id": "1"}, "give a number"), ({"name": 3}, "give text"), ({"id__gt": "x"}, "num")],
)
async def test_a_constant_of_another_type_has_a_hint(people: Any, filters: Any, hint: str) -> None:
    with pytest.raises(XRepoConfigurationError, match=f"is compared with .*Hint: .*{hint}"):
        await people.list(filters)


async def test_a_repo_over_a_file_is_closed_as_any_other(tmp_path: Path) -> None:
    import duckdb

    with duckdb.connect(str(tmp_path / "a.duckdb")) as database:
        database.execute("CREATE TABLE a (x INTEGER)")
    repo = await xr.open(tmp_path / "a.duckdb", register=False)
    await repo.close()
    with duckdb.connect(str(tmp_path / "a.duckdb")) as database:  # else it is held, in another configuration
        assert database.execute("SELECT count(*) FROM a").fetchone() == (0,)


async def test_counting_says_in_the_log_how_many(people: Any) -> None:
    await people.get_statistics()
    assert people.audit[-1].metadata["rows"] == 2


async def test_reprs_are_short(people: Any) -> None:
    wide = await xr.open([{f"c{i}": i for i in range(50)}], name="wide", register=False)
    assert repr(people.schema).startswith("<Schema {id: int, name: string")
    assert repr(wide.schema).endswith("c11: int, ... 38 more}>")
    assert repr(wide.report) == "<InferenceReport: 1 row, 0 rejected, 50 fields>"
    assert repr(xr.XRegistry()) == "<XRegistry: 0 models>"
    assert repr(xr.CacheManager(backend="memory")) == "<CacheManager over InMemoryRepo>"


def test_metadata_take_their_own_options() -> None:
    with pytest.raises(XRepoConfigurationError, match=r"no option 'cahce_enabled'; .*mean 'cache_enabled'"):
        xr.RepoMetadata(name="people", cahce_enabled=True)


async def test_an_event_that_never_comes_is_refused(people: Any) -> None:
    with pytest.raises(
        XRepoConfigurationError, match=r"cannot be 'creatd'; there are: created.*mean 'created'"
    ):
        people.events.on("creatd", print)


async def test_names_of_the_namespace_are_text() -> None:
    names = xr.CacheManager(backend="memory")
    asks = (
        names.register_ns(3, 4),
        names.list_ns(3),
        names.fuzzy_search("*", 3),
        names.register_indirect(3, "x"),
    )  # type: ignore[arg-type]
    for ask in asks:
        with pytest.raises(XRepoConfigurationError, match="is a text, not an int"):
            await ask
    assert await names.list_ns("*") == []


async def test_only_strategies_are_registered() -> None:
    with pytest.raises(XRepoConfigurationError, match="an int is no RepoCreationStrategy"):
        xr.XRepoFactory.register_strategy(3)  # type: ignore[arg-type]
    assert await (await xr.XRepoFactory.create(data=[{"id": 1}])).count() == 1


async def test_factory_methods_take_what_they_name(people: Any) -> None:
    with pytest.raises(XRepoConfigurationError, match="a str is no resource"):
        await xr.XRepoFactory.create_from_resource("a.csv", None, schema={"fields": {}})  # type: ignore[arg-type]
    config = {"group_by": "name", "aggregations": {"n": "count"}}
    assert await (await xr.XRepoFactory.create_aggregate_repo("one", people, config)).count() == 2


@pytest.mark.parametrize("size", [0, -1, "x"])
async def test_a_stream_has_batches_of_some_rows(people: Any, size: Any) -> None:
    with pytest.raises(XRepoConfigurationError, match="batch_size must be a whole number"):
        async for _ in people.stream(batch_size=size):
            pass


@pytest.mark.parametrize("ttl", [-1, 0, "x"])
async def test_a_view_is_of_some_age(people: Any, ttl: Any) -> None:
    with pytest.raises(XRepoConfigurationError, match="ttl is a number of seconds above 0"):
        await xr.join("aged", {"a": people, "b": people}, on="id", register=False, ttl=ttl)
    with pytest.raises(XRepoConfigurationError, match="the name of a view is a text"):
        await xr.join(3, {"a": people, "b": people}, on="id", register=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("kept", [False, True])
async def test_a_field_of_no_name_is_kept_through_writes(tmp_path: Path, kept: bool) -> None:
    path = tmp_path / "a.duckdb" if kept else None
    repo = await xr.open([{"_id": 1, "": "x"}], path=path, name="odd", model=False, register=False)
    await repo.create({"_id": 2, "": "yy"})
    await repo.create({"_id": 3, "": 5, "z": True})
    expected = [{"_id": 1, "": "x"}, {"_id": 2, "": "yy"}, {"_id": 3, "": 5, "z": True}]
    assert await repo.list() == expected
    if kept:
        await repo.close()
        repo = await MaterializedRepo.of(name="odd", path=path)
        assert await repo.list() == expected
        await repo.close()


@pytest.mark.parametrize("engine", ["document", "polars"])
async def test_a_field_of_no_name_is_read_by_every_engine(engine: str) -> None:
    rows = [{"_id": 1, "": "x"}, {"_id": 2, "": "ab"}]
    repo = await xr.open(rows, model=False, register=False)
    length = {"$strLenCP": {"$getField": ""}}
    found = await repo.aggregate([{"$match": {"$expr": {"$gt": [length, 1]}}}], engine=engine)
    assert found == [rows[1]]
    assert await repo.list(engine="duckdb") == rows


@pytest.mark.parametrize(
    ("habit", "written"),
    [
        (lambda repo: repo.head(), r"await repo\.list\(limit=5\)"),
        (lambda repo: repo.columns, r"repo\.schema\.names"),
        (lambda repo: repo.groupby("name"), r"\$group"),
        (lambda repo: repo.lst(), "did you mean 'list'"),
        (lambda repo: repo.name, r"fields=\['name'\]"),
        (lambda repo: repo["name"], r"fields=\['name'\]"),
        (lambda repo: repo[["id", "name"]], r"fields=\['id', 'name'\]"),
        (lambda repo: repo[:2], r"limit="),
        (lambda repo: repo[0], r"await repo\.read\(id\)"),
        (lambda repo: list(repo), r"async for row in repo"),
        (lambda repo: repo.sync.head(), r"await repo\.list\(limit=5\)"),
    ],
)
async def test_habits_from_frames_are_told_what_to_write(people: Any, habit: Any, written: str) -> None:
    with pytest.raises(XRepoError, match=written) as refused:
        habit(people)
    assert isinstance(refused.value, AttributeError | TypeError)


@pytest.mark.parametrize("columns", [{"a": [1, 2]}, {"a": [1, 2], "b": ("x", "y")}, {"a": [[1], [2]]}])
async def test_a_dict_of_columns_is_no_dict_of_collections(columns: Any) -> None:
    with pytest.raises(XRepoConfigurationError, match=r"a dict of columns.*pl\.DataFrame\(data\)"):
        await xr.open(columns)


async def test_a_source_that_nobody_awaited_is_told_so() -> None:
    waiting = xr.open("datasets/airlines.csv")
    with pytest.raises(XRepoConfigurationError, match=r"cannot open a coroutine.*write `await` before"):
        await xr.open(waiting)
    waiting.close()


async def test_a_name_that_is_not_there_is_not_there(people: Any) -> None:
    assert not hasattr(people, "head")
    assert getattr(people, "join_report", None) is None
    with pytest.raises(XRepoError, match=r"has no 'zzz'$"):
        _ = people.zzz


async def test_a_hidden_field_is_no_attribute_either() -> None:
    rule = ACLRule(role="peer", permissions=["list"], conditions={"fields": {"deny": ["salary"]}})  # type: ignore[list-item]
    repo = MaterializedRepo(
        data=[{"_id": 1, "salary": 5}], metadata=RepoMetadata(name="people", acl_rules=[rule])
    )
    with acting_as(Identity("bo", roles={"peer"})):
        told = []
        for name in ("salary", "sallary"):
            with pytest.raises(AttributeError) as refused:
                getattr(repo, name)
            told.append(str(refused.value).replace(name, "_"))
    assert told[0] == told[1]


async def test_rows_in_memory_have_a_length_and_every_repo_is_true(people: Any) -> None:
    assert len(people) == 2
    assert len(await xr.join("both", {"a": people, "b": people}, on="id")) == 2
    assert MaterializedRepo(data=[])
    airlines = await xr.open("datasets/airlines.csv")
    assert airlines
    with pytest.raises(TypeError, match=r"not known before it is asked.*await repo\.count\(\)"):
        len(airlines)


async def test_the_length_is_that_of_what_the_caller_sees() -> None:
    rule = ACLRule(role="peer", permissions=["list"], conditions={"rows": {"team": "a"}})  # type: ignore[list-item]
    rows = [{"_id": i, "team": "ab"[i % 2]} for i in range(5)]
    repo = MaterializedRepo(data=rows, metadata=RepoMetadata(name="people", acl_rules=[rule]))
    with acting_as(Identity("bo", roles={"peer"})):
        assert len(repo) == 3
    with pytest.raises(TypeError):
        len(repo)


async def test_a_repo_is_iterated_asynchronously(people: Any) -> None:
    assert [person.name async for person in people] == ["Ann", "Bo"]
