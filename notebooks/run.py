"""Runs the notebooks from the first cell to the last, each in a fresh kernel.

python notebooks/run.py            run them, fail on the first error
python notebooks/run.py --check    the same, and fail if outputs were saved with a notebook
python notebooks/run.py --html     also leave a self-contained page of each, and print where
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import DictLoader
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter

FOLDER = Path(__file__).resolve().parent
LIVE = "application/vnd.jupyter.widget-view+json"

PAGE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_css -%}
<style>
:root { color-scheme: light dark }
@media (prefers-color-scheme: dark) { {{ resources.dark_theme }} }
body.jp-Notebook { max-width: 1080px; margin: 0 auto; padding: 16px; background: var(--jp-layout-color0) }
.jp-InputPrompt, .jp-OutputPrompt { display: none }
.jp-Cell { padding: 4px 0 }
</style>
{%- endblock -%}
"""


def main() -> int:
    """Runs what the command line names; 0 when all is well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(FOLDER.glob("*.ipynb")))
    parser.add_argument("--check", action="store_true", help="fail if outputs were saved")
    parser.add_argument("--html", action="store_true", help="write a page beside each notebook")
    options = parser.parse_args()
    os.environ["XREPO_PROGRESS"] = "0"
    for path in options.notebooks:
        notebook = nbformat.read(path, as_version=4)
        if options.check and (kept := saved_outputs(notebook)):
            print(f"{path}: outputs are saved with cells {', '.join(kept)}: clear them", file=sys.stderr)
            return 1
        try:
            run(notebook)
        except CellExecutionError as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 1
        print(f"{path}: {write_page(notebook, path.with_suffix('.html')) if options.html else 'runs'}")
    return 0


def saved_outputs(notebook: Any) -> list[str]:
    """The ids of the cells that were saved with outputs."""
    return [cell.id for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]


def run(notebook: Any) -> None:
    """Executes the notebook in place. A page shows the static form of widgets, so the live one goes."""
    NotebookClient(
        notebook,
        timeout=120,
        resources={"metadata": {"path": str(FOLDER)}},
        extra_arguments=["--log-level=ERROR"],
    ).execute()
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(LIVE, None)


def write_page(notebook: Any, path: Path) -> Path:
    """The notebook as one HTML file that needs nothing else."""
    exporter = HTMLExporter(template_file="page.html.j2", extra_loaders=[DictLoader({"page.html.j2": PAGE})])
    resources = {"dark_theme": _theme("dark"), "metadata": {"name": path.stem}}
    page, _ = exporter.from_notebook_node(notebook, resources=resources)
    path.write_text(page, encoding="utf-8")
    return path


def _theme(name: str) -> str:
    files = (Path(folder) / "static" / f"theme-{name}.css" for folder in HTMLExporter().template_paths)
    return next(file.read_text("utf-8") for file in files if file.exists())


if __name__ == "__main__":
    sys.exit(main())
