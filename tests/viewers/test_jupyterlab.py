"""What a person sees in JupyterLab: a real server, a real kernel, a real browser."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")
pytest.importorskip("tqdm", reason="tqdm is not installed")

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
"""Seconds that each single thing may take on a slow machine."""

CELLS = [
    """\
import asyncio
import xrepo_nb as xr
from xrepo_nb.notebook.progress import progress
people = await xr.open(
    [{"id": n, "name": f"<b>$n{n}$</b>", "age": (n * 7) % 31} for n in range(31)], name="people"
)
people""",
    "await people.list({'age__lt': 3}, sort='age')",
    "await xr.viewers.explore(people)",
    """\
with progress(total=4, label="counting sheep") as step:
    for _ in range(4):
        await asyncio.sleep(0.75)
        step(1)
people.sync.count({"age__gte": 3})""",
    "from IPython.display import HTML\nHTML('<p>$a$</p>')",
    "await people.list({'agee': 3})",
]
OPENED, LISTED, EXPLORED, COUNTED, TYPESET, WRONG = range(len(CELLS))


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where a server of its own, which knows no settings of this machine's, serves the notebook."""
    folder, token = tmp_path, secrets.token_hex()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / "people.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            _command(folder, port, token), env=_environment(folder), stdout=log, stderr=log
        )
        base = f"http://127.0.0.1:{port}"
        try:
            _wait_for(f"{base}/api", server, folder / "server.log")
            yield f"{base}/lab/tree/people.ipynb?token={token}"
        finally:
            _end(server, f"{base}/api/shutdown?token={token}")


def _command(folder: Path, port: int, token: str) -> list[str]:
    return [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}",
        f"--IdentityProvider.token={token}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None",
    ]  # fmt: skip


def _environment(folder: Path) -> dict[str, str]:
    homes = ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR",
             "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")  # fmt: skip
    settings = folder / "jupyterlab_settings_dir" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    own = {name: str(folder / name.lower()) for name in homes}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {
        **os.environ,
        **own,
        "PYTHONPATH": path,
        "XREPO_PROGRESS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"the server did not start:\n{log.read_text()}")


def _end(server: subprocess.Popen[bytes], url: str) -> None:
    """Asks the server to end with its kernels; ends it by its id when it does not."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=5).close()
        server.wait(PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        server.terminate()
        server.wait(PATIENCE)


@pytest.fixture
def page(address: str, browser: Any) -> Iterator[Any]:
    """The notebook, all of whose cells were started, as its menu does it."""
    page = browser.new_page(viewport={"width": 1280, "height": 2600})
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(address)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.locator("#jp-main-statusbar").get_by_text("(ipykernel) | Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    yield page
    page.close()


def output(page: Any, cell: int) -> Any:
    """What stands below a cell."""
    return page.locator(".jp-Notebook .jp-CodeCell").nth(cell).locator(".jp-Cell-outputArea")


def bars(page: Any, cell: int) -> Any:
    """The progress bars below a cell."""
    return output(page, cell).locator(".progress-bar")


def a_bar_shows_below_its_cell_while_it_works(page: Any) -> None:
    bars(page, COUNTED).wait_for()
    output(page, COUNTED).get_by_text("counting sheep").wait_for()
    assert bars(page, OPENED).count() == 0


def it_goes_when_the_work_is_done_and_sync_works_in_the_same_cell(page: Any) -> None:
    output(page, COUNTED).get_by_text("28", exact=True).wait_for()
    assert bars(page, COUNTED).filter(visible=True).count() == 0


def a_repo_shows_its_first_rows_as_a_table(page: Any) -> None:
    shown = output(page, OPENED)
    shown.locator(".xr table").first.wait_for()
    assert "31 rows" in shown.inner_text()


def rows_are_shown_escaped(page: Any) -> None:
    shown = output(page, LISTED)
    assert shown.locator("tbody tr").count() == 3
    assert shown.locator("tbody tr").first.inner_text().split() == ["0", "<b>$n0$</b>", "0"]
    assert shown.locator("tbody b").count() == 0


def dollars_are_not_taken_for_mathematics(page: Any) -> None:
    output(page, TYPESET).locator("mjx-container").wait_for()  # other people's are, by now
    for cell in (OPENED, LISTED, EXPLORED):
        assert output(page, cell).locator("mjx-container").count() == 0
        assert "<b>$n0$</b>" in output(page, cell).inner_text()


def first_column(page: Any, place: int) -> list[str]:
    cells = output(page, EXPLORED).locator(f".xr-live tbody tr > :nth-child({place})")
    return [text.strip() for text in cells.all_inner_texts()]


def a_click_on_a_header_sorts_all_rows(page: Any) -> None:
    widget = output(page, EXPLORED)
    widget.locator("th button[data-field=age]").click()
    widget.locator("text=sort=[('age', 1)]").wait_for()
    assert first_column(page, 3) == [str(n) for n in range(10)]
    widget.locator("th button[data-field=age]").click()
    widget.locator("text=sort=[('age', -1)]").wait_for()
    assert first_column(page, 3) == [str(n) for n in range(30, 20, -1)]


def a_typed_filter_and_a_page_turn_ask_again(page: Any) -> None:
    widget = output(page, EXPLORED)
    widget.locator("input[data-field=age]").fill("> 15")
    widget.locator("input[data-field=age]").press("Enter")
    widget.locator("text=first 10 of 15 rows").wait_for()
    widget.locator("button[data-field=next]").click()
    widget.locator("text=rows 11 to 15 of 15").wait_for()
    assert first_column(page, 3) == ["20", "19", "18", "17", "16"]


def an_error_ends_with_the_hint(page: Any) -> None:
    output(page, WRONG).get_by_text("did you mean 'age'?").last.wait_for()


def test_a_notebook_in_jupyterlab(page: Any) -> None:
    """One after the other, as a person does it, as a server and its kernel take seconds to start."""
    a_bar_shows_below_its_cell_while_it_works(page)
    it_goes_when_the_work_is_done_and_sync_works_in_the_same_cell(page)
    a_repo_shows_its_first_rows_as_a_table(page)
    rows_are_shown_escaped(page)
    dollars_are_not_taken_for_mathematics(page)
    a_click_on_a_header_sorts_all_rows(page)
    a_typed_filter_and_a_page_turn_ask_again(page)
    an_error_ends_with_the_hint(page)
