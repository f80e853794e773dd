"""Errors in IPython: the caller's own lines and the message; everything for whoever asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("IPython")

INNER = "xrepo_nb/"
SETUP = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="nocolor")
shell.run_cell('''
import xrepo_nb as xr
users = xr.MaterializedRepo(data=[{"_id": 1, "name": "Ann"}], name="users")
''')
"""


def shown(cells: str, **environment: str) -> str:
    """What a fresh IPython shows of the cells, which blank lines part."""
    parts = textwrap.dedent(cells).strip().split("\n\n")
    program = SETUP + "".join(f"shell.run_cell({part!r})\n" for part in parts)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, timeout=120, env={**os.environ, **environment}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("\\", "/")


@pytest.mark.parametrize(
    "call",
    [
        'await users.list({"nam": 1})',
        'users.sync.list({"nam": 1})',
        'list(users.sync.stream({"nam": 1}))',
        'await xr.open([{"nam": 1}], nonsense=1)',
        'await users.bulk_create([{"_id": 2}, {"_id": 1}])',
        'await xr.open("nowhere.csv")',
        "xr.F.name == 1 and 2",
    ],
)
def test_an_error_shows_the_line_and_the_message_alone(call: str) -> None:
    out = shown(f"def ask():\n    pass\n{call}")
    assert INNER not in out and "asyncio" not in out
    assert f"----> 3 {call}" in out
    assert out.count("Traceback (most recent call last)") == 1
    assert out.strip().splitlines()[-1].startswith("XRepo")


def test_the_lines_of_functions_of_ones_own_are_shown_on_the_way_in_and_inside() -> None:
    out = shown("""
        def outer(): return xr.MaterializedRepo(data=inner(), name="made")
        def inner():
            yield {"_id": 1}
            users.sync.list({"nam": 1})
        outer()
        """)
    assert INNER not in out
    assert "return xr.MaterializedRepo(data=inner()" in out
    assert 'users.sync.list({"nam": 1})' in out


def test_an_error_on_the_way_of_handling_another_shows_both() -> None:
    out = shown("""
        try:
            1 / 0
        except ZeroDivisionError:
            await users.list({"nam": 1})
        """)
    assert "ZeroDivisionError" in out and "During handling of the above exception" in out
    assert INNER not in out


@pytest.mark.parametrize(
    ("before", "environment"), [("%xmode Verbose\n\n", {}), ("", {"XREPO_FULL_TRACEBACK": "1"})]
)
def test_all_frames_are_shown_to_whoever_asks(before: str, environment: dict[str, str]) -> None:
    assert INNER in shown(before + 'await users.list({"nam": 1})', **environment)


def test_debuggers_and_handlers_see_all_frames() -> None:
    out = shown("""
        await users.list({"nam": 1})

        import sys, traceback

        print("last:", len(traceback.extract_tb(sys.last_traceback)) > 4)

        print("error:", len(traceback.extract_tb(sys.last_value.__traceback__)) > 4)

        print("debugger:", len(traceback.extract_tb(get_ipython().InteractiveTB.tb)) > 4)
        """)
    assert out.strip().splitlines()[-3:] == ["last: True", "error: True", "debugger: True"]


def test_a_plain_script_prints_the_traceback_that_python_prints() -> None:
    program = 'import xrepo_nb as xr\nxr.MaterializedRepo(data=[{"_id": 1}]).sync.list({"nam": 1})'
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert INNER in done.stderr.replace("\\", "/")
    assert "unknown field 'nam'" in done.stderr
