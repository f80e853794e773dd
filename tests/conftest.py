"""What all tests share: nothing of ours may block the event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pandas  # noqa: F401 - its import reads files, wherever in a loop it would first happen
import pytest
from blockbuster import blockbuster_ctx

import xrepo_nb.repos.open  # noqa: F401 - so that no first import happens within a loop
from xrepo_nb.cache import namespace
from xrepo_nb.core.settings import settings


@pytest.fixture(autouse=True)
def blocking_is_an_error() -> Iterator[None]:
    """Blocking calls made by our code in a running loop raise `BlockingError`."""
    with blockbuster_ctx("xrepo_nb"):
        yield


@pytest.fixture
async def clean_namespace() -> object:
    """The process's namespace, empty before and after."""
    await namespace._cache.clear()
    yield namespace
    await namespace._cache.clear()


@pytest.fixture
def change_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Sets settings by their names, as the environment would, until the test ends."""

    def change(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"XREPO_{name.upper()}", str(value))
        settings.cache_clear()
        settings()  # read here, not within a loop

    yield change
    monkeypatch.undo()
    settings.cache_clear()
    settings()
