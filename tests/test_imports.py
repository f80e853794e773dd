"""Importing the package is cheap: optional drivers and heavy libraries wait for their first use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

HEAVY = (
    "IPython", "aiohttp", "anywidget", "asyncmy", "asyncpg", "bson", "connectorx", "duckdb", "fsspec",
    "httpx", "ipywidgets", "motor", "nest_asyncio2", "numpy", "pandas", "pyarrow", "pymongo", "redis",
    "sqlglot", "tqdm", "upath", "websockets",
)  # fmt: skip


def loaded(program: str, folder: Path) -> set[str]:
    """Which heavy libraries a fresh interpreter has loaded after the program."""
    closing = f"\nimport json, sys; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program + closing],
        capture_output=True, text=True, timeout=120, cwd=folder, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_import_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded("import xrepo_nb", tmp_path) == set()


def test_no_public_name_loads_anything_heavy(tmp_path: Path) -> None:
    assert loaded("import xrepo_nb\nfor name in xrepo_nb.__all__: getattr(xrepo_nb, name)", tmp_path) == set()


@pytest.mark.parametrize(
    "target", ["'a.csv'", "'a.json'", "'a.ndjson'", "'a.parquet'", "[{'x': 1}, {'x': 2}]"]
)
def test_a_query_of_files_or_documents_loads_nothing_heavy(target: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [1, 2]})
    frame.write_csv(tmp_path / "a.csv")
    frame.write_json(tmp_path / "a.json")
    frame.write_ndjson(tmp_path / "a.ndjson")
    frame.write_parquet(tmp_path / "a.parquet")
    program = (
        "import asyncio\n"
        "from xrepo_nb.resources.factory import resource_for\n"
        f"assert asyncio.run(resource_for({target}).resource.query({{'x': 1}})) == [{{'x': 1}}]"
    )
    assert loaded(program, tmp_path) == set()
