"""Tracebacks in IPython: the lines of whoever called, and the message, without the frames between."""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from xrepo_nb.core.errors import XRepoError
from xrepo_nb.notebook.display import running_shell

_PACKAGE = str(Path(__file__).parents[1]) + os.sep


def attach() -> None:
    """Lets IPython show our errors by `render`; nobody else asks for it."""
    XRepoError._render_traceback_ = render


def render(error: XRepoError) -> list[str]:
    """The traceback as IPython shows it, in parts; without our frames and those below them.

    Whole with `%xmode Verbose`, and with `XREPO_FULL_TRACEBACK`. The error keeps all its frames.
    """
    from xrepo_nb.core.settings import settings

    shell = running_shell()
    if shell is None:
        return traceback.format_exception(error)
    painter, whole = shell.InteractiveTB, error.__traceback__
    if settings().full_traceback or painter.mode == "Verbose":
        return list(painter.structured_traceback(type(error), error, whole))
    with _shortened(error):
        parts = list(painter.structured_traceback(type(error), error, error.__traceback__))
    painter.tb = whole  # where `%pdb` begins
    return parts


@contextmanager
def _shortened(error: BaseException) -> Iterator[None]:
    """Within the block, the error and those it came from have the caller's frames alone."""
    kept = [(each, each.__traceback__, each.__cause__, each.__suppress_context__) for each in _chain(error)]
    try:
        for each, whole, _, _ in kept:
            each.__traceback__ = _callers(whole) or (whole if each is error else None)
        for each, _, _, _ in kept:
            origin = _origin(each)
            if origin is not None and origin.__traceback__ is None:
                each.__cause__ = None  # and so no context either
        yield
    finally:
        for each, whole, cause, suppressed in kept:
            each.__traceback__ = whole
            each.__cause__ = cause
            each.__suppress_context__ = suppressed


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and all(error is not each for each in found):
        found.append(error)
        error = _origin(error)
    return found


def _origin(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _callers(trace: TracebackType | None) -> TracebackType | None:
    """The frames above our first one, and of those below it what is neither ours nor a library's."""
    kept: list[TracebackType] = []
    ours = False
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        inner = file.startswith(_PACKAGE)
        ours = ours or inner
        if not (inner or (ours and file.startswith(_libraries()))):
            kept.append(trace)
        trace = trace.tb_next
    made: TracebackType | None = None
    for each in reversed(kept):
        made = TracebackType(made, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return made


@lru_cache(maxsize=1)
def _libraries() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return ("<frozen", *(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")))
