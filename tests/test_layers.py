"""Imports go downwards only, as the design lays out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import xrepo_nb

ROOT = Path(xrepo_nb.__file__).parent
LAYERS = (
    "core", "schema", "query", "engines", "resources", "cache", "observe", "governance", "repos", "notebook",
    "viewers",
)  # fmt: skip

UPWARDS = {"repos/base.py imports notebook"}
"""`repo.sync` hands out the facade that is built upon repos, on first use."""


def imported(path: Path) -> Iterator[str]:
    """The layers of all imports of ours, wherever in the file; those for types alone included."""
    for node in ast.walk(ast.parse(path.read_text())):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            whole = node.module == "xrepo_nb"
            modules = [f"xrepo_nb.{a.name}" for a in node.names] if whole else [node.module or ""]
        for module in modules:
            parts = module.split(".")
            if parts[0] == "xrepo_nb" and len(parts) > 1:
                yield parts[1]


def test_every_package_has_its_layer() -> None:
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert packages == set(LAYERS)


def test_imports_go_downwards() -> None:
    upwards = {
        f"{path.relative_to(ROOT)} imports {other}"
        for layer in LAYERS
        for path in (ROOT / layer).rglob("*.py")
        for other in imported(path)
        if LAYERS.index(other) > LAYERS.index(layer)
    }
    assert upwards == UPWARDS
