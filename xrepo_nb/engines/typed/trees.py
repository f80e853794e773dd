"""What becomes of the fields of documents, as trees by name."""

from __future__ import annotations

from typing import Any


def computes(tree: Any, kind: type) -> bool:
    """Whether anything of that kind, a computed value, stands there or below: then an object is made even
    where none is given.

    >>> computes({"a": True, "b": {"c": 1.5}}, float), computes({"a": {"b": True}}, float)
    (True, False)
    """
    if isinstance(tree, dict):
        return any(computes(below, kind) for below in tree.values())
    return isinstance(tree, kind)
