"""JSON text to documents, exactly: what `json` would pass over in silence is an error here."""

from __future__ import annotations

import json
from typing import Any


class NotJSON(ValueError):
    """The text is not what it should be; `line` and `column` tell where, when known."""

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        self.line, self.column = line, column
        super().__init__(reason)


def parse(text: bytes) -> Any:
    """The value; integers are exact, names that come twice in an object refused.

    Raises `NotJSON`.
    """
    try:
        return _DECODER.decode(text.decode())
    except json.JSONDecodeError as error:
        raise NotJSON(error.msg, error.lineno, error.colno) from None
    except UnicodeDecodeError as error:
        raise NotJSON("not valid UTF-8", text.count(b"\n", 0, error.start) + 1) from None
    except RecursionError:
        raise NotJSON("nested too deeply") from None


def as_document(value: Any) -> dict[str, Any]:
    """The value, which must be an object. Raises `NotJSON`."""
    if isinstance(value, dict):
        return value
    raise NotJSON(f"{_KINDS.get(type(value), 'a number')} where an object should be")


_KINDS = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise NotJSON("a name comes twice in an object")
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=_object)
