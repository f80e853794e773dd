"""The notebooks are kept clean, and become pages that need nothing else."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("nbconvert", reason="nbconvert is not installed")

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def _runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_notebooks", FOLDER / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_has_no_outputs_and_names_for_its_cells(path: Path) -> None:
    notebook: Any = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert _runner().saved_outputs(notebook) == []
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", each) for each in ids)
    assert all(not cell.metadata for cell in notebook.cells)


def test_the_quickstart_is_there() -> None:
    assert FOLDER / "quickstart.ipynb" in NOTEBOOKS


def test_saved_outputs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = nbformat.v4.new_code_cell("1", execution_count=1, id="one")
    path = tmp_path / "saved.ipynb"
    path.write_text(json.dumps(nbformat.v4.new_notebook(cells=[cell])))
    monkeypatch.setattr("sys.argv", ["run.py", "--check", str(path)])
    assert _runner().main() == 1


def test_a_page_fetches_nothing_and_shows_the_static_form_of_widgets(tmp_path: Path) -> None:
    runner = _runner()
    source = (
        "from xrepo_nb import viewers\nfrom xrepo_nb.schema.schema import Schema\nviewers.widget(Schema(()))"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    runner.run(notebook)
    page = runner.write_page(notebook, tmp_path / "page.html").read_text("utf-8")
    assert '<div class="xr ' in page
    assert "widget-view" not in page
    assert not re.search(r"""<(script|link|img|iframe)[^>]+(src|href)=["']?https?:""", page)
    assert not re.search(r"(@import|url\()\s*['\"]?https?:", page)
    assert "prefers-color-scheme: dark" in page
