"""What IPython shows of a call of ours that nobody awaited: what to write."""

from __future__ import annotations

import os
from pathlib import Path
from types import CoroutineType
from typing import Any

from xrepo_nb.notebook.display import attach_text

_PACKAGE = str(Path(__file__).parents[1]) + os.sep


def attach() -> None:
    """Lets IPython, if it is what runs us, say it."""
    attach_text(f"{CoroutineType.__module__}.{CoroutineType.__qualname__}", told)


def told(waiting: CoroutineType[Any, Any, Any]) -> str:
    """The text of a coroutine: of ours, that it waits to be awaited.

    >>> from xrepo_nb.repos.materialized import MaterializedRepo
    >>> waiting = MaterializedRepo(data=[]).count()
    >>> told(waiting)
    'XRepo.count(...) has not run yet: write `await` before it, or call it by `repo.sync`'
    >>> waiting.close()
    """
    if not waiting.cr_code.co_filename.startswith(_PACKAGE):
        return repr(waiting)
    return f"{waiting.__qualname__}(...) has not run yet: write `await` before it, or call it by `repo.sync`"
