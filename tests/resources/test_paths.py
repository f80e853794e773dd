"""Files stay inside their root, and what lies outside is refused without saying whether it exists."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.resources.conftest import Write
from xrepo_nb.core.errors import XRepoConfigurationError, XRepoNotFoundError, XRepoPermissionError
from xrepo_nb.resources.csv import CSVResource
from xrepo_nb.resources.factory import ResourceFactory
from xrepo_nb.resources.paths import Root


@pytest.fixture
def root(write: Write, tmp_path: Path) -> Path:
    """A folder `data` with a file and several ways out of it."""
    write("secret.csv", "x\n1\n")
    inside = write("data/good.csv", "x\n1\n").parent
    write("data/deep/er.csv", "x\n2\n")
    (inside / "leak.csv").symlink_to(tmp_path / "secret.csv")
    (inside / "broken.csv").symlink_to(tmp_path / "nothing.csv")
    (inside / "loop.csv").symlink_to(inside / "loop.csv")
    (inside / "out").symlink_to(tmp_path)
    (inside / "also_good.csv").symlink_to(inside / "good.csv")
    return inside


WAYS_OUT = [
    "../secret.csv",
    "deep/../../secret.csv",
    "leak.csv",
    "broken.csv",
    "loop.csv",
    "out/secret.csv",
    "/etc/passwd",
    "x\0.csv",
]


@pytest.mark.parametrize("way", WAYS_OUT)
async def test_no_way_leads_out(root: Path, way: str) -> None:
    with pytest.raises(XRepoPermissionError, match="outside the root"):
        await CSVResource(way, root=root).describe()


@pytest.mark.parametrize("way", ["../{}.csv", "out/{}.csv", "/{}.csv", "out/../../{}.csv"])
async def test_what_is_outside_looks_the_same_whether_it_exists_or_not(root: Path, way: str) -> None:
    texts = []
    for name in ("secret", "absent"):
        with pytest.raises(XRepoPermissionError) as caught:
            await CSVResource(way.format(name), root=root).connect()
        texts.append(str(caught.value).replace(name, "?"))
    assert texts[0] == texts[1]


@pytest.mark.parametrize("pattern", ["../*.csv", "/etc/*", "deep/../../*.csv"])
async def test_no_pattern_leads_out(root: Path, pattern: str) -> None:
    with pytest.raises(XRepoPermissionError):
        await CSVResource(root=root, pattern=pattern).describe()


async def test_patterns_and_folders_pass_over_links_that_leave(root: Path) -> None:
    assert await CSVResource(root=root).list_collections_or_tables() == ["also_good", "good"]
    everything = CSVResource(root=root, pattern={"all": "**/*.csv"})
    assert sorted(row["x"] for row in await everything.query()) == [1, 1, 2]


async def test_a_home_is_a_home_only_where_the_caller_chose_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(root))
    assert await CSVResource("~/good.csv").query() == [{"x": 1}]
    with pytest.raises(XRepoNotFoundError):
        await CSVResource("~/good.csv", root=root).query()


async def test_collections_are_names_not_paths(root: Path) -> None:
    source = CSVResource(root=root)
    for name in ("../secret", "good.csv", "out/secret", str(root / "good")):
        with pytest.raises(XRepoNotFoundError, match="there are: also_good, good"):
            await source.describe(name)


async def test_a_link_that_the_caller_named_is_followed(root: Path) -> None:
    assert await CSVResource(root / "leak.csv").query() == [{"x": 1}]


async def test_files_within_the_root_by_any_spelling(root: Path) -> None:
    for name in ("good.csv", "deep/er.csv", str(root / "good.csv"), "./good.csv"):
        assert await CSVResource(name, root=root).validate_connection() is False
        assert len(await CSVResource(name, root=root).query()) == 1


def test_only_regular_files_count(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    assert Root.of(tmp_path).files() == []
    with pytest.raises(XRepoNotFoundError):
        Root.of(tmp_path).file("pipe.csv")


@pytest.mark.parametrize("options", [{}, {"file_path": "a.csv", "pattern": "*.csv"}])
def test_options_that_name_no_files(options: dict[str, Any]) -> None:
    with pytest.raises(XRepoConfigurationError):
        ResourceFactory.create("csv", **options)
