"""`make bench`: runs every benchmark and prints one Markdown page; `--write` puts it into docs/."""

from __future__ import annotations

import argparse
import os
import platform
from importlib import import_module
from pathlib import Path
from typing import Protocol

from benchmarks.timing import Row, table

MODULES = (
    "startup",
    "language",
    "repos",
    "sources",
    "loading",
    "documents",
    "memory",
    "groupby_join",
    "larger_than_memory",
)
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


class Benchmark(Protocol):
    """A module here: a docstring that says what is measured, and `measure`."""

    __doc__: str | None

    def measure(self, *, quick: bool) -> list[Row]: ...


def main() -> None:
    """Runs the named benchmarks, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"which ones: {', '.join(MODULES)}")
    parser.add_argument("--quick", action="store_true", help="smaller data: a smoke test, not a figure")
    parser.add_argument("--write", action="store_true", help=f"write the page to {PAGE.name}")
    options = parser.parse_args()
    unknown = set(options.names) - set(MODULES)
    if unknown:
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
    parts = [_heading()]
    for name in options.names or MODULES:
        module: Benchmark = import_module(f"benchmarks.{name}")
        part = (
            f"## {name}\n\n{(module.__doc__ or '').strip()}\n\n{table(module.measure(quick=options.quick))}"
        )
        print(part, end="\n\n", flush=True)
        parts.append(part)
    if options.write:
        PAGE.write_text("\n\n".join(parts) + "\n")


def _heading() -> str:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        "# Benchmarks\n\n"
        "Each line is a ratio measured in one run: ours and the alternatives in turn, medians of several\n"
        "runs, each after an untimed one of its own, against the fastest alternative. `make bench` prints\n"
        "this page anew.\n\n"
        f"Machine: {os.cpu_count()} cores, {pages:.0f} GiB, Python {platform.python_version()},\n"
        f"{_versions()}."
    )


def _versions() -> str:
    names = ("polars", "duckdb", "pyarrow", "pydantic")
    return ", ".join(f"{name} {import_module(name).__version__}" for name in names)


if __name__ == "__main__":
    main()
