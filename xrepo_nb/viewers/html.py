"""The one place where HTML and SVG are built: whatever is not markup made here is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Any

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*\Z")
_EMPTY = frozenset({"br", "circle", "col", "hr", "img", "input", "line", "path", "rect"})


class Html(str):
    """Markup that is safe as it stands. Only `tag` and `join` make it."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


def tag(name: str, *children: Any, **attributes: Any) -> Html:
    """An element. Children that are not `Html` are escaped, None is left out, iterables are joined.

    Attribute names lose a trailing underscore, others become hyphens; None and False leave an
    attribute out, True writes its name only.

    >>> tag("b", "<script>", class_="xr-name", hidden=True)
    '<b class="xr-name" hidden>&lt;script&gt;</b>'
    """
    opening = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _EMPTY:
        return Html(f"<{_checked(name)}{opening} />")
    return Html(f"<{_checked(name)}{opening}>{join(children)}</{name}>")


def join(children: Iterable[Any]) -> Html:
    """The children one after the other, escaped where they are not `Html`.

    >>> join(["1 < 2", tag("br"), None])
    '1 &lt; 2<br />'
    """
    return Html("".join(_parts(children)))


def _parts(children: Iterable[Any]) -> Iterable[str]:
    for child in children:
        if isinstance(child, Html):
            yield child
        elif isinstance(child, str):
            yield text(child)
        elif isinstance(child, Iterable):
            yield from _parts(child)
        elif child is not None:
            yield text(str(child))


def text(value: str) -> Html:
    """Text as markup. Characters that browsers refuse or that reorder text become visible marks.

    >>> text("a & b")
    'a &amp; b'
    """
    return Html(escape(_INVISIBLE.sub(_mark, value), quote=True))


_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def _mark(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"


def _attribute(key: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    name = _checked(key.rstrip("_").replace("_", "-"))
    return f" {name}" if value is True else f' {name}="{text(str(value))}"'


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is not a name of an element or attribute")
    return name
