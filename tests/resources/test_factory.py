"""Sources by name, and by what one has in hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import SecretStr

from xrepo_nb.core.errors import XRepoConfigurationError
from xrepo_nb.core.settings import XSettings
from xrepo_nb.resources.factory import SOURCES, DatabaseResource, ResourceFactory, resource_for
from xrepo_nb.resources.memory import MemoryResource
from xrepo_nb.resources.urls import shown


def test_create_by_name() -> None:
    source = ResourceFactory.create("csv", file_path="/data/products.csv")
    assert repr(source) == "<CSVResource /data/products.csv>"
    assert source.connection_type == "csv" and source.name == "products"


def test_an_unknown_name_tells_what_there_is() -> None:
    with pytest.raises(XRepoConfigurationError, match="'cvs'; there are: csv, .*did you mean 'csv'"):
        ResourceFactory.create("cvs")
    with pytest.raises(XRepoConfigurationError, match=SOURCES.group):
        ResourceFactory.create("oracle9i")


def test_options_are_checked() -> None:
    with pytest.raises(XRepoConfigurationError, match="no option 'seperator'.*did you mean 'separator'"):
        ResourceFactory.create("csv", file_path="a.csv", seperator=";")
    with pytest.raises(XRepoConfigurationError, match="a folder source needs root"):
        ResourceFactory.create("folder")


def test_registered_kinds_and_synonyms() -> None:
    made: list[Any] = []

    class Endpoint(MemoryResource):
        connection_type = "rest_api"

        def __init__(self, *, endpoint: str) -> None:
            made.append(endpoint)
            super().__init__([])

    ResourceFactory.register("rest", Endpoint)
    try:
        for name in ("rest", "rest_api"):
            assert isinstance(ResourceFactory.create(name, endpoint="https://x"), Endpoint)
        assert "rest_api" in ResourceFactory.names()
    finally:
        from xrepo_nb.resources import factory

        factory._registered.clear()
    assert made == ["https://x", "https://x"]


def test_an_installed_package_adds_a_kind(tmp_path: Path) -> None:
    (tmp_path / "ext.py").write_text(
        "from xrepo_nb.resources.memory import MemoryResource\n"
        "class Ext(MemoryResource):\n    connection_type = 'ext'\n"
    )
    info = tmp_path / "ext-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ext\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{SOURCES.group}]\next = ext:Ext\n")
    script = (
        "from xrepo_nb.resources.factory import ResourceFactory as F;"
        "print(F.create('ext', data=[]).connection_type, 'ext' in F.names())"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert run.stdout.split() == ["ext", "True"], run.stderr


@pytest.mark.parametrize(
    ("target", "shown", "collection"),
    [
        ("data/flights.parquet", "<ParquetResource data/flights.parquet>", None),
        (Path("a.csv.gz"), "<CSVResource a.csv.gz>", None),
        ("a.jsonl", "<NDJSONResource a.jsonl>", None),
        ("data", "<FolderResource data>", None),
        ("data/2024-*.csv", "<CSVResource data/2024-*.csv>", None),
        ("data/2024-*", "<FolderResource data/2024-*>", None),
        ("file:///data/my%20file.csv", "<CSVResource /data/my file.csv>", None),
        ("csv:///rel/a.txt?separator=%3B&has_header=false", "<CSVResource rel/a.txt>", None),
        ("json:////abs/a.json?collection=a", "<JSONResource /abs/a.json>", "a"),
        ([{"x": 1}], "<MemoryResource data>", None),
        (pl.DataFrame({"x": [1]}), "<MemoryResource data>", None),
        ({"a": [], "b": pl.LazyFrame()}, "<MemoryResource a, b>", None),
    ],
)
def test_what_a_target_means(target: Any, shown: str, collection: str | None) -> None:
    opened = resource_for(target)
    assert (repr(opened.resource), opened.collection) == (shown, collection)


def test_a_source_stands_for_itself() -> None:
    source = MemoryResource([])
    assert resource_for(source) == (source, None)
    assert resource_for((source, "data")) == (source, "data")
    assert resource_for(source, collection="data") == (source, "data")


def test_database_files_go_to_their_sources() -> None:
    planes = Path(__file__).parents[2] / "datasets" / "planes.db"
    opened = resource_for(f"sqlite:///{planes}?table=planes")
    assert (opened.resource.connection_type, opened.collection) == ("sqlite", "planes")
    assert resource_for(planes).resource.connection_type == "sqlite"
    weather = planes.with_name("weather.duckdb")
    assert resource_for(weather).resource.connection_type == "duckdb"


def test_a_database_is_named_by_its_connection_string(tmp_path: Path) -> None:
    database = XSettings(database=f"sqlite:///{tmp_path}/app.db").database
    assert database is not None and DatabaseResource(database).connection_type == "sqlite"
    assert DatabaseResource(tmp_path / "app.duckdb").connection_type == "duckdb"
    for nothing in (None, "", SecretStr("")):
        with pytest.raises(XRepoConfigurationError, match="no database is named.*XREPO_DATABASE"):
            DatabaseResource(nothing)
    with pytest.raises(XRepoConfigurationError) as caught:
        DatabaseResource(SecretStr("mongodb://ada:hunter2@host/db"))
    assert "hunter2" not in str(caught.value) + repr(caught.value.__dict__)


@pytest.mark.parametrize("target", [5, None, {}, {"a": 1}, object()])
def test_what_cannot_be_opened(target: Any) -> None:
    with pytest.raises(XRepoConfigurationError, match="cannot open a"):
        resource_for(target)


@pytest.mark.parametrize(
    "target", ["mongodb://ada:hunter2@host/db", "weird+x://ada:hunter2@[/db?token=hunter2"]
)
def test_no_secret_in_an_error(target: str) -> None:
    with pytest.raises(XRepoConfigurationError) as caught:
        resource_for(target)
    assert "hunter2" not in str(caught.value) + repr(caught.value.__dict__)


@pytest.mark.parametrize(
    "location",
    [
        "x://u:hunter2@h/p",
        "x://:hunter2@h",
        "x://u:hun@ter2@h",
        "://u:hunter2@",
        "x://h?a=1&PassWord=hunter2;b=2",
    ],
)
def test_locations_are_shown_without_secrets(location: str) -> None:
    assert "hunter2" not in shown(location) and "ter2" not in shown(location)
    assert shown("s3://bucket/a/b.csv") == "s3://bucket/a/b.csv"
