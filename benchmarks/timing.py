"""How figures are measured: ours and the alternatives in turn, medians, and their ratio."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of the table. `ours` and `theirs` in `unit`; `target` bounds their ratio or, for a
    figure that is compared with nothing, `ours` itself."""

    name: str
    ours: float
    theirs: float | None
    against: str
    target: float | None
    unit: str = "ms"
    at_least: bool = False

    @property
    def figure(self) -> float:
        """What the target bounds: the ratio, as time, or as speed where `at_least`."""
        if self.theirs is None:
            return self.ours
        return self.theirs / self.ours if self.at_least else self.ours / self.theirs

    @property
    def met(self) -> bool:
        """Whether the figure keeps to its target."""
        if self.target is None:
            return True
        return self.figure >= self.target if self.at_least else self.figure <= self.target


def compare(
    name: str,
    ours: Callable[[], Any],
    others: dict[str, Callable[[], Any]],
    *,
    target: float | None,
    runs: int = 7,
    at_least: bool = False,
) -> Row:
    """Times all in turn, `runs` times after a warm-up; the fastest other is what we are held to."""
    candidates = {"ours": ours, **others}
    times = interleaved(candidates, runs)
    against = min(others, key=lambda key: median(times[key]))
    return Row(name, median(times["ours"]), median(times[against]), against, target, at_least=at_least)


def interleaved(candidates: dict[str, Callable[[], Any]], runs: int) -> dict[str, list[float]]:
    """Milliseconds of each run of each candidate, taken in turn, garbage collection held back.

    Each round in another order, and each timed run after an untimed one of the same candidate: what
    the one before it left behind in memory would else count for more than what it does itself.
    """
    order, random = list(candidates), Random(0)
    times: dict[str, list[float]] = {key: [] for key in candidates}
    for _ in range(runs):
        random.shuffle(order)
        for key in order:
            run = candidates[key]
            run()
            gc.collect()
            gc.disable()
            start = time.perf_counter()
            run()
            times[key].append((time.perf_counter() - start) * 1000)
            gc.enable()
    return times


_CLOSING = """
def peak():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except OSError:
        import resource
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print("peak", peak())
"""
"""The kernel's mark of this program alone; `ru_maxrss` would start at the parent's."""


def peak_mb(program: str, *args: str, timeout: float = 1800) -> float:
    """The peak resident memory, in MB, of a Python program run in a process of its own."""
    command = [sys.executable, "-c", program + _CLOSING, *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return float(done.stdout.rpartition("peak ")[2]) / 1024


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| what | ours | theirs | against | figure | target | met |",
        "|---|---:|---:|---|---:|---:|---|",
    ]
    lines += [_line(row) for row in rows]
    return "\n".join(lines)


def _line(row: Row) -> str:
    theirs = "" if row.theirs is None else f"{row.theirs:,.3g} {row.unit}"
    sign = "≥" if row.at_least else "≤"
    target = "" if row.target is None else f"{sign} {row.target:g}"
    met = "" if row.target is None else ("yes" if row.met else "no")
    ours = f"{row.ours:,.3g} {row.unit}"
    return f"| {row.name} | {ours} | {theirs} | {row.against} | {row.figure:,.3g} | {target} | {met} |"


def show(title: str, rows: Sequence[Row]) -> None:
    """Prints a titled table."""
    print(f"\n### {title}\n\n{table(rows)}", flush=True)
