"""Each module of the query layer can be the first one imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import xrepo_nb.query

ROOT = Path(xrepo_nb.query.__file__).parent
MODULES = sorted(
    ".".join(("xrepo_nb.query", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
)

SCRIPT = """
import importlib, sys
for name in {names!r}:
    for loaded in [m for m in sys.modules if m.startswith("xrepo_nb")]:
        del sys.modules[loaded]
    importlib.import_module(name)
"""


def test_any_module_may_come_first() -> None:
    script = SCRIPT.format(names=MODULES)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
