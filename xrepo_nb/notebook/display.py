"""Display in IPython: whoever knows how a kind of object looks says so here; nothing is imported for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any


def attach(kinds: Iterable[str], html: Callable[[Any], str], text: Callable[[Any], str]) -> None:
    """Lets the running IPython show objects of those kinds (full names of classes) by `html` and `text`.

    Does nothing outside IPython. The classes need not be imported yet: IPython compares names.
    """
    shell = running_shell()
    if shell is None:
        return
    for kind in kinds:
        module, _, name = kind.rpartition(".")
        shell.display_formatter.formatters["text/html"].for_type_by_name(module, name, html)
        attach_text(kind, text)


def attach_text(kind: str, text: Callable[[Any], str]) -> None:
    """As `attach`, for the text alone."""
    shell = running_shell()
    if shell is None:
        return
    module, _, name = kind.rpartition(".")
    shell.display_formatter.formatters["text/plain"].for_type_by_name(
        module, name, lambda shown, printer, cycle: printer.text(text(shown))
    )


def running_shell() -> Any:
    """The running IPython shell, or None. If IPython was not imported, it is not what runs us."""
    get = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get() if get is not None else None
