"""`import xrepo_nb` against importing Polars and Pydantic, which it cannot do without: milliseconds
within fresh interpreters, taken in turn."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from benchmarks.timing import Row

OURS = "import xrepo_nb"
EVERYTHING = "from xrepo_nb import *"
THEIRS = "import polars, pydantic"
TARGET = 1.3


def measure(*, quick: bool) -> list[Row]:
    """The ratio of the import, which leaves names for later, and of using all names at once."""
    programs = (OURS, EVERYTHING, THEIRS)
    for program in programs:
        milliseconds(program)
    runs = [[milliseconds(program) for program in programs] for _ in range(5 if quick else 15)]
    ours, everything, theirs = map(median, zip(*runs, strict=True))
    return [Row(OURS, ours, theirs, THEIRS, TARGET), Row(EVERYTHING, everything, theirs, THEIRS, None)]


def milliseconds(program: str) -> float:
    """How long the statement takes in an interpreter of its own, its start not counted."""
    timed = f"import time; t = time.perf_counter(); {program}; print(time.perf_counter() - t)"
    run = subprocess.run(
        [sys.executable, "-c", timed], capture_output=True, text=True, timeout=120, check=True
    )
    return float(run.stdout) * 1000
