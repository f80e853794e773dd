"""Small repos of every kind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from xrepo_nb import MaterializedRepo, ResourceFactory, XRepoFactory

USERS: list[dict[str, Any]] = [
    {"_id": 1, "name": "Ann", "age": 34, "city": "Oslo"},
    {"_id": 2, "name": "Bo", "age": 28, "city": "Rome"},
    {"_id": 3, "name": "Cy", "age": 41, "city": "Oslo"},
    {"_id": 4, "name": "Di", "age": 19, "city": "Bern"},
]


@pytest.fixture
def users() -> MaterializedRepo[Any]:
    """Four users, dicts."""
    return MaterializedRepo(data=[dict(user) for user in USERS], name="users")


@pytest.fixture
async def table(tmp_path: Any) -> Any:
    """The users in a SQLite table with `deleted_at`, `created_at`, `updated_at` and `version`."""
    import sqlite3

    path = tmp_path / "users.db"
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER, city TEXT,"
        " deleted_at TEXT, created_at TEXT, updated_at TEXT, version INTEGER DEFAULT 1)"
    )
    rows = [(u["_id"], u["name"], u["age"], u["city"]) for u in USERS]
    connection.executemany("INSERT INTO users (id, name, age, city) VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    resource = ResourceFactory.create("sqlite", file_path=path)
    await resource.connect()
    schema = await resource.describe("users")
    yield await XRepoFactory.create_from_resource(resource, None, "users", schema=schema, name="users")
    await resource.close()


NOW = datetime(2026, 1, 1, tzinfo=UTC)
