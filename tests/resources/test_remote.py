"""Remote files: everything that works for local ones, through copies that follow the originals."""

from __future__ import annotations

import asyncio
import gc
import gzip
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from blockbuster import BlockBuster
from hypothesis import given
from hypothesis import strategies as st

import xrepo_nb as xr
from tests.resources.remote_places import Memory, Place, Web, web
from xrepo_nb.core.errors import (
    XRepoConfigurationError,
    XRepoConnectionError,
    XRepoError,
    XRepoNotFoundError,
    XRepoPermissionError,
    XRepoTimeoutError,
    XRepoUnsupportedError,
    XRepoValidationError,
)
from xrepo_nb.core.progress import reporting
from xrepo_nb.resources.csv import CSVResource
from xrepo_nb.resources.factory import ResourceFactory, resource_for
from xrepo_nb.resources.folder import FolderResource
from xrepo_nb.resources.parquet import ParquetResource
from xrepo_nb.resources.urls import file_name, shown

pytest.importorskip("fsspec")

ROWS = [{"x": 1, "name": "Ada"}, {"x": 2, "name": "Bo"}]
CANARY = "s3cr3t"


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def server() -> Iterator[Web]:
    pytest.importorskip("aiohttp")
    with web() as place:
        yield place


@pytest.fixture(params=["memory", "web"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue({"memory": "memory", "web": "server"}[request.param])
    return found


@pytest.fixture
def copies(tmp_path: Path, change_settings: Callable[..., None]) -> Path:
    """The folder in which copies are made."""
    folder = tmp_path / "copies"
    folder.mkdir()
    change_settings(spill_directory=folder)
    return folder


def held(copies: Path) -> list[Path]:
    """The copies that there are."""
    return [path for path in copies.rglob("*") if path.is_file()]


def saved(folder: Path) -> dict[str, bytes]:
    """The rows in every format, by the name of the file."""
    frame = pl.DataFrame(ROWS)
    frame.write_csv(folder / "a.csv")
    frame.write_json(folder / "a.json")
    frame.write_ndjson(folder / "a.ndjson")
    frame.write_parquet(folder / "a.parquet")
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    return files | {"a.csv.gz": gzip.compress(files["a.csv"])}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.json", "a.ndjson", "a.parquet"])
async def test_a_file_of_every_format_is_opened_by_its_url(place: Place, tmp_path: Path, name: str) -> None:
    url = place.put(name, saved(tmp_path)[name])
    repo = await xr.open(url, register=False)
    assert repo.metadata.name == "a" and repo.kind == "connected"
    assert [row.model_dump() for row in await repo.list({"x__gt": 1})] == ROWS[1:]
    assert await repo.count() == 2
    whole = await xr.open(url, materialized=True, model=False, register=False)
    assert await whole.list() == ROWS


async def test_a_folder_lists_its_files_and_fetches_what_is_asked(place: Place, tmp_path: Path) -> None:
    for name, content in saved(tmp_path).items():
        place.put(name, content)
    place.put("deep/b.csv", "x\n9\n")
    place.put(".hidden.csv", "x\n1\n")
    place.put("notes.txt", "hello")
    source = FolderResource(place.url())
    assert repr(source) == f"<FolderResource {place.url()}>" and source.name == "data"
    names = ["a.csv", "a.csv.gz", "a.json", "a.ndjson", "a.parquet"]
    assert await source.list_collections_or_tables() == names
    assert not place.fetched
    for name in names:
        assert await source.query(collection=name) == ROWS
    with pytest.raises(XRepoConfigurationError, match="several collections; there are: a.csv"):
        await source.describe()


async def test_patterns_are_collections(place: Place) -> None:
    place.put("2024-a.csv", "x,y\n1,u\n")
    place.put("2024-b.csv", "x,y\n2,v\n")
    place.put("deep/2024-c.csv", "x,y\n3,w\n")
    repo = await xr.open(f"{place.url()}/2024-*.csv", register=False)
    assert repo.metadata.name == "2024"
    assert [row.x for row in await repo.list()] == [1, 2]
    several = CSVResource(root=place.url(), pattern={"a": "*-a.csv", "all": "**/*.csv"})
    assert await several.list_collections_or_tables() == ["a", "all"]
    assert await several.query(collection="a") == [{"x": 1, "y": "u"}]
    assert [row["x"] for row in await several.query(collection="all")] == [1, 2, 3]
    with pytest.raises(XRepoNotFoundError, match=r"no file matches '\*.parquet'; there are: 2024-a.csv"):
        await ParquetResource(f"{place.url()}/*.parquet").describe()


async def test_odd_names_are_names(memory: Memory) -> None:
    for name in ("a#1.csv", "b c.csv", "d@e.csv", "f%20g.csv", "é.csv"):
        memory.put(name, "x\n1\n")
    source = FolderResource(memory.url())
    names = await source.list_collections_or_tables()
    assert names == ["a#1", "b c", "d@e", "f g", "é"]
    for name in names:
        assert await source.query(collection=name) == [{"x": 1}]
    repo = await xr.open(memory.url("d@e.csv"), register=False)
    assert await repo.count() == 1


async def test_a_changed_file_is_fetched_anew(place: Place, copies: Path) -> None:
    url = place.put("a.csv", "x\n1\n")
    source = CSVResource(url)
    first = await source.table()
    assert await source.query() == [{"x": 1}]
    place.put("a.csv", "x\ntwo\n")
    assert await source.query() == [{"x": "two"}]
    assert first.lazy.collect().rows() == [(1,)], "a reader keeps what it began with"
    place.put("a.csv", "y\n3\n")
    assert await source.query() == [{"y": 3}]
    assert len(held(copies)) == 2
    place.remove("a.csv")
    with pytest.raises(XRepoNotFoundError, match="file 'a.csv' not found"):
        await source.query()
    assert not await source.validate_connection()


async def test_an_unchanged_file_is_fetched_once(server: Web) -> None:
    repo = await xr.open(server.put("a.csv", "x\n1\n"), register=False)
    for _ in range(3):
        assert await repo.count() == 1
    assert server.fetched == {"a.csv": 1}


async def test_callers_at_once_fetch_once(server: Web) -> None:
    source = CSVResource(server.put("a.csv", "x\n1\n"))
    assert await asyncio.gather(*(source.query() for _ in range(6))) == [[{"x": 1}]] * 6
    assert server.fetched == {"a.csv": 1}


async def test_a_server_that_tells_nothing_but_the_size(server: Web) -> None:
    server.etags = False
    source = CSVResource(server.put("a.csv", "x\n1\n"))
    assert await source.query() == [{"x": 1}]
    server.put("a.csv", "x\n22\n")
    assert await source.query() == [{"x": 22}]


async def test_copies_go_when_the_connection_is_closed(place: Place, copies: Path) -> None:
    source = CSVResource(place.put("a.csv", "x\n1\n"))
    await source.connect()
    assert not held(copies)
    assert await source.size_bytes() == 4 and not held(copies)
    await source.describe()
    assert [path.name for path in held(copies)] == ["a.csv"]
    await source.close()
    assert not held(copies)
    await source.connect()
    assert await source.query() == [{"x": 1}]
    del source
    gc.collect()
    assert not held(copies)


async def test_a_copy_that_is_lost_is_fetched_again(place: Place, copies: Path) -> None:
    source = CSVResource(place.put("a.csv", "x\n1\n"))
    await source.describe()
    held(copies)[0].unlink()
    assert await source.query() == [{"x": 1}]


async def test_duckdb_reads_the_copy(place: Place, tmp_path: Path) -> None:
    repo = await xr.open(place.put("a.parquet", saved(tmp_path)["a.parquet"]), register=False)
    found = await repo.aggregate([{"$group": {"_id": None, "x": {"$sum": "$x"}}}], engine="duckdb")
    assert found == [{"_id": None, "x": 3}]


async def test_nothing_blocks_the_loop(memory: Memory, unblocked: BlockBuster) -> None:
    unblocked.deactivate()
    url = memory.put("a.csv", "x\n1\n")
    await CSVResource(url).query()  # imports are done
    unblocked.activate()
    source = CSVResource(url)
    await source.connect()
    assert await source.validate_connection()
    assert await source.query() == [{"x": 1}]
    await source.close()


async def test_the_loop_goes_on_while_a_server_is_slow(server: Web) -> None:
    source = CSVResource(server.put("a.csv", "x\n1\n"))
    server.delay = 0.2
    query, ticks = asyncio.ensure_future(source.query()), 0
    while not query.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert await query == [{"x": 1}] and ticks > 10


async def test_a_upath_is_opened_with_its_options(memory: Memory, tmp_path: Path) -> None:
    upath = pytest.importorskip("upath")
    memory.put("a.csv", "x\n1\n")
    (tmp_path / "b.csv").write_text("x\n2\n")
    for path, expected in (
        (upath.UPath("memory://data/a.csv"), 1),
        (upath.UPath("memory://data") / "*.csv", 1),
        (upath.UPath(tmp_path / "b.csv"), 2),
        (upath.UPath(f"file://{tmp_path}/b.csv"), 2),
    ):
        repo = await xr.open(path, register=False)
        assert [row.x for row in await repo.list()] == [expected]
    assert await CSVResource(upath.UPath("memory://data/a.csv")).query() == [{"x": 1}]
    resource = resource_for(upath.UPath("s3://bucket/a.csv", key="ada", secret=CANARY)).resource
    assert CANARY not in repr(resource) and "s3://bucket/a.csv" in repr(resource)


# Inside its root.


@pytest.mark.parametrize(
    "name", ["../up.csv", "deep/../../up.csv", "%2e%2e/up.csv", "..\\up.csv", "x\0.csv", "memory://up.csv"]
)
async def test_no_name_leads_out_of_the_root(place: Place, name: str) -> None:
    place.put("a.csv", "x\n1\n")
    place.put("../up.csv", "x\n1\n")
    with pytest.raises(XRepoPermissionError, match="outside the root"):
        await CSVResource(name, root=place.url()).describe()


@pytest.mark.parametrize("pattern", ["../*.csv", "/up/*.csv", "memory://up/*.csv", "deep/../../*.csv"])
async def test_no_pattern_leads_out_of_the_root(place: Place, pattern: str) -> None:
    place.put("a.csv", "x\n1\n")
    with pytest.raises(XRepoPermissionError, match="outside the root"):
        await CSVResource(root=place.url(), pattern=pattern).describe()


async def test_what_is_inside_is_read_by_any_spelling(place: Place) -> None:
    url = place.put("deep/a.csv", "x\n1\n")
    for source in (
        CSVResource("deep/a.csv", root=place.url()),
        CSVResource(url, root=place.url()),
        CSVResource(url, root=f"{place.url()}/"),
        CSVResource(root=place.url(), pattern=f"{place.url()}/deep/*.csv"),
    ):
        assert await source.query() == [{"x": 1}]


async def test_a_local_root_holds_no_url(memory: Memory, tmp_path: Path) -> None:
    with pytest.raises(XRepoPermissionError, match="outside the root"):
        CSVResource(memory.put("a.csv", "x\n1\n"), root=tmp_path)


async def test_pages_that_link_to_themselves_come_to_an_end(server: Web) -> None:
    server.put("a.csv", "x\n1\n")
    server.endless = True
    with pytest.raises(XRepoNotFoundError, match="no file matches"):
        await CSVResource(root=server.url(), pattern="deeper/**/b.csv").describe()


async def test_links_that_leave_a_page_are_passed_over(server: Web) -> None:
    server.put("a.csv", "x\n1\n")
    assert await FolderResource(server.url()).list_collections_or_tables() == ["a"]


# What goes wrong.


async def test_a_file_that_is_not_there(place: Place) -> None:
    place.put("other.csv", "x\n1\n")
    with pytest.raises(XRepoNotFoundError, match="file 'others.csv' not found"):
        await xr.open(place.url("others.csv"))


async def test_the_files_beside_it_are_named(memory: Memory) -> None:
    memory.put("other.csv", "x\n1\n")
    with pytest.raises(XRepoNotFoundError, match=r"there are: other.csv. Hint: did you mean 'other.csv'"):
        await xr.open(memory.url("others.csv"))


async def test_a_folder_that_is_none(memory: Memory) -> None:
    with pytest.raises(XRepoNotFoundError, match="no file memory://data/none"):
        await xr.open(f"{memory.url()}/none")
    memory.put("table", "x\n1\n")
    with pytest.raises(XRepoConfigurationError, match="'table' is a file, and its name does not tell"):
        await xr.open(memory.url("table"))
    assert await ResourceFactory.create("csv", file_path=memory.url("table")).query() == [{"x": 1}]


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials(server: Web, status: int) -> None:
    url = server.put("a.csv", "x\n1\n")
    server.failing["a.csv"] = status
    with pytest.raises(XRepoConnectionError, match=r"access to http://\S+ was refused.*storage_options"):
        await xr.open(url)


def authorized(password: str) -> dict[str, Any]:
    """The options of a filesystem that sends the password."""
    return {"headers": {"Authorization": "Basic " + b64encode(f"ada:{password}".encode()).decode()}}


async def test_credentials_as_options(server: Web) -> None:
    url, server.password = server.put("a.csv", "x\n1\n"), CANARY
    repo = await xr.open(url, storage_options=authorized(CANARY), register=False)
    assert await repo.count() == 1
    with pytest.raises(XRepoConnectionError, match="was refused") as refused:
        await xr.open(url, storage_options=authorized(CANARY + "!"))
    assert CANARY not in str(refused.value)


async def test_a_server_that_fails_or_is_gone(server: Web) -> None:
    url = server.put("a.csv", "x\n1\n")
    server.failing["a.csv"] = 500
    with pytest.raises(XRepoConnectionError, match="the server answers 500"):
        await xr.open(url)
    with pytest.raises(XRepoConnectionError, match="cannot be reached"):
        await xr.open("http://127.0.0.1:9/a.csv")


@pytest.fixture
def impatient(change_settings: Callable[..., None]) -> None:
    change_settings(timeout=0.2)


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_says_nothing(server: Web) -> None:
    stopped = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stopped.wait()
        writer.close()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        with pytest.raises(XRepoTimeoutError, match="did not answer in time"):
            await xr.open(f"http://127.0.0.1:{port}/a.csv")
    finally:
        stopped.set()
        listening.close()


async def test_a_file_cut_off_is_an_error_and_leaves_no_copy(server: Web, copies: Path) -> None:
    url = server.put("a.csv", "x\n" + "1\n" * 1000)
    server.cut.add("a.csv")
    source = CSVResource(url)
    with pytest.raises(XRepoConnectionError):
        await source.query()
    assert not held(copies)
    server.cut.clear()
    assert len(await source.query()) == 1000


@pytest.mark.parametrize("told", [True, False], ids=["of a size told before", "without end"])
async def test_copies_leave_room_on_the_disk(
    place: Place, copies: Path, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = SimpleNamespace(free=(1 << 25) + 3)
    monkeypatch.setattr("xrepo_nb.resources.copies.shutil.disk_usage", lambda _: room)
    if not told:
        monkeypatch.setattr("xrepo_nb.resources.copies.RemoteFile.size", None)
    with pytest.raises(XRepoConnectionError, match=r"no room on this disk.*XREPO_SPILL_DIRECTORY"):
        await xr.open(place.put("a.csv", "x\n1\n"))
    assert not held(copies)
    room.free += 1
    assert await CSVResource(place.url("a.csv")).query() == [{"x": 1}]


async def test_what_is_wrong_in_a_file_is_told_by_its_name(place: Place) -> None:
    with pytest.raises(XRepoValidationError, match="file 'a.csv', line 3"):
        await xr.open(place.put("a.csv", "x,y\n1,2\n3\n"))
    with pytest.raises(XRepoValidationError, match="file 'a.parquet' is not a Parquet file"):
        await xr.open(place.put("a.parquet", "PAR2"))


@pytest.mark.parametrize(
    ("url", "package", "line"),
    [
        ("s3://bucket/a.csv", "s3fs", r"\[files\]' s3fs"),
        ("gs://bucket/a.csv", "gcsfs", r"\[files\]' gcsfs"),
        ("az://box/*.csv", "adlfs", r"\[files\]' adlfs"),
        ("sftp://host/a.csv", "paramiko", r"\[files\]' paramiko"),
    ],
)
async def test_a_driver_that_is_not_installed(
    url: str, package: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    wanted = rf"// URLs need universal-pathlib and {package}.*pip install 'xrepo_nb{line}$"
    with pytest.raises(XRepoConfigurationError, match=wanted):
        await xr.open(url)


@pytest.mark.parametrize("module", ["fsspec", "aiohttp"])
async def test_the_extra_is_not_installed(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (module, f"{module}.core"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        XRepoConfigurationError, match=r"https:// URLs need.*pip install 'xrepo_nb\[files\]'$"
    ):
        await xr.open("https://host.invalid/a.csv")


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: resource_for("s3://bucket/planes.db"), XRepoUnsupportedError, "fetch the file"),
        (lambda: resource_for("https://host/data"), XRepoConfigurationError, "name the format"),
        (lambda: CSVResource("a.csv", storage_options={"key": "x"}), XRepoConfigurationError, "are local"),
        (lambda: CSVResource("s3://b/a.csv", pattern="*.csv"), XRepoConfigurationError, "not both"),
        (lambda: CSVResource(root="https://host/d?sig=x"), XRepoConfigurationError, "has no query"),
        (lambda: CSVResource(pattern={"a": "s3://b/*.csv"}), XRepoConfigurationError, "several patterns"),
        (lambda: resource_for("s3://"), XRepoConfigurationError, "is empty"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, error: type[XRepoError], says: str) -> None:
    with pytest.raises(error, match=says):
        make()


async def test_endpoints_of_the_web_stay_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "xrepo_nb.resources.factory._registered", {"rest_api": lambda uri: CSVResource("api.csv")}
    )
    assert repr(resource_for("https://host/users").resource) == "<CSVResource api.csv>"
    assert repr(resource_for("https://host/users.csv").resource) == "<CSVResource https://host/users.csv>"


# No secret is told.

SECRET_URLS = [
    f"https://ada:{CANARY}@host.invalid/a.csv",
    f"https://ada:x/{CANARY}@host.invalid/a.csv",
    f"https://{CANARY}@host.invalid/a.csv?x=1",
    f"https://host.invalid/a.csv?X-Amz-Signature={CANARY}",
    f"https://host.invalid/a.csv?sig={CANARY}#{CANARY}",
    f"https://ada:{CANARY}@[::bad/a.csv",
    f"https://ada:{CANARY}@host.invalid:port/a.csv?sig={CANARY}",
    f"s3://ada:{CANARY}@bucket/a.csv",
    f"s3://ada:{CANARY}@bucket/*.csv",
    f"s3://ada:{CANARY}@bucket",
    f"memory://ada:{CANARY}@data/a.csv?sig={CANARY}",
    f"sftp://ada:{CANARY}@host.invalid/*/a.parquet",
]


@pytest.fixture
def labels() -> Iterator[list[str]]:
    """What progress is told of the work that a test does."""
    told: list[str] = []

    @contextmanager
    def keep(label: str, total: int | None = None) -> Iterator[Any]:
        told.append(label)
        yield lambda amount: None

    with reporting(keep):
        yield told


@pytest.mark.parametrize("url", SECRET_URLS)
async def test_no_secret_of_a_url_is_told(url: str, labels: list[str]) -> None:
    told: list[Any] = []
    with pytest.raises(XRepoError) as caught:
        source = resource_for(url).resource
        told += [repr(source), str(source), source.name]
        await xr.open(url)
    error: BaseException | None = caught.value
    while error is not None:
        told += [str(error), repr(error), vars(error)]
        error = error.__cause__ or error.__context__
    assert CANARY not in repr(told) + repr(labels)


@given(
    scheme=st.sampled_from(["https", "s3", "memory"]),
    user=st.text("ad:@/?#", max_size=3),
    password=st.text("pw:@/?#%\n [", max_size=4),
    rest=st.sampled_from(["host/a.csv", "host", "h:1/d/*.csv", "[::1]/a.csv", "host/d/"]),
    query=st.sampled_from(["", f"?sig={CANARY}", f"#{CANARY}", f"?a=b@c&{CANARY}"]),
)
def test_no_url_however_it_is_written_shows_its_secret(
    scheme: str, user: str, password: str, rest: str, query: str
) -> None:
    url = f"{scheme}://{user}:{password}{CANARY}{password}@{rest}{query}"
    assert CANARY not in shown(url) + file_name(url)


async def test_progress_does_not_tell_the_password_of_a_database(labels: list[str]) -> None:
    with pytest.raises(XRepoConfigurationError, match="no source of kind 'oracle'"):
        await xr.open(f"oracle://ada:{CANARY}@host")
    assert labels and CANARY not in labels[0]


async def test_no_secret_reaches_what_a_repo_shows(server: Web) -> None:
    server.password = CANARY
    url = server.put("a.csv", "x\n1\n") + f"?token={CANARY}"
    repo = await xr.open(url, storage_options=authorized(CANARY), register=False)
    await repo.list()
    shown = [
        repr(repo), repr(repo.resource), repr(vars(repo.metadata)), repr(repo.schema), repo.schema.name,
        str(await repo.explain({"x": 1}, analyze=True)), repr(await repo.get_statistics()),
        repr(await repo.get_audit_log()), repr(repo.report),
        xr.viewers.view(repo).to_html(),
    ]  # fmt: skip
    assert repo.metadata.name == "a"
    assert CANARY not in "".join(shown)
