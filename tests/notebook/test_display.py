"""Display in IPython: rich in a cell, a line in a terminal, and never a read."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest


def _run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_in_ipython_every_kind_shows_itself_once_xrepo_nb_is_imported() -> None:
    pytest.importorskip("IPython")
    out = _run("""
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        import xrepo_nb as xr
        from xrepo_nb.repos.materialized import MaterializedRepo
        from xrepo_nb.schema.schema import Schema
        repo = MaterializedRepo(data=[{"_id": 1, "name": "<Ann>"}], name="users")
        for shown in (repo, repo.schema, repo.statistics, repo.audit, repo.peek()):
            data, _ = shell.display_formatter.format(shown)
            assert data["text/html"].startswith('<div class="xr '), type(shown)
            assert "<Ann>" not in data["text/html"]
            print(data["text/plain"].splitlines()[0])
    """)
    assert out.splitlines()[0].startswith("materialized repo users: _id: int, name: string")
    assert len(out.splitlines()) == 5


def test_in_ipython_a_call_that_nobody_awaited_says_what_to_write() -> None:
    pytest.importorskip("IPython")
    out = _run("""
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        import xrepo_nb as xr
        async def own(): pass
        for waiting in (xr.MaterializedRepo(data=[]).list(), xr.open([]), own()):
            print(shell.display_formatter.format(waiting)[0]["text/plain"])
            waiting.close()
    """)
    listed, opened, other = out.splitlines()
    assert listed.startswith("XRepo.list(...) has not run yet: write `await` before it")
    assert opened.startswith("open(...) has not run yet")
    assert other.startswith("<coroutine object own at")


def test_outside_ipython_nothing_is_attached_or_imported() -> None:
    heavy = "('IPython', 'ipywidgets', 'anywidget', 'tqdm', 'pandas', 'nest_asyncio2', 'duckdb', 'pyarrow')"
    assert _run(f"import sys, xrepo_nb; print([n for n in {heavy} if n in sys.modules])") == "[]"
