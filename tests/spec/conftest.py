"""Embedded sources that stand for the servers in the specification's examples."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from xrepo_nb import ResourceFactory

sys.path.insert(0, str(Path(__file__).parent))  # for `import specification`


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Any]:
    """`users` and `orders`, where the specification has MongoDB's `app`."""
    connection = sqlite3.connect(tmp_path / "app.db")
    connection.executescript(
        """
        CREATE TABLE users (user_id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT, role TEXT,
                            status TEXT);
        CREATE TABLE orders (order_id INTEGER PRIMARY KEY, user_id INTEGER, total REAL, created_at TEXT);
        INSERT INTO users VALUES (1, 'John Doe', 'john@example.com', 'admin', 'active'),
                                 (2, 'Jane Roe', 'jane@example.com', 'user', 'inactive'),
                                 (3, 'Ann Poe', 'ann@example.com', 'user', 'active');
        INSERT INTO orders VALUES (10, 1, 9.5, '2024-03-01'), (11, 1, 20.0, '2023-05-01'),
                                  (12, 2, 7.25, '2024-06-01');
        """
    )
    connection.commit()
    connection.close()
    resource = ResourceFactory.create("sqlite", file_path=tmp_path / "app.db")
    await resource.connect()
    yield resource
    await resource.close()
