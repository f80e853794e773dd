"""JSON text to documents, exactly: what `json` would pass over in silence is an error here."""

from __future__ import annotations

import json
from math import isinf
from typing import Any


class NotJSON(ValueError):
    """The text is not what it should be; `line` and `column` tell where, when known, `hint` what to do."""

    def __init__(
        self, reason: str, line: int | None = None, column: int | None = None, hint: str | None = None
    ) -> None:
        self.line, self.column, self.hint = line, column, hint
        super().__init__(reason)


def parse(text: bytes) -> Any:
    """The value; integers are exact, names that come twice in an object and too large floats refused.

    Raises `NotJSON`.
    """
    try:
        return _DECODER.decode(text.decode())
    except json.JSONDecodeError as error:
        hint = _LINES if error.msg == "Extra data" else None
        raise NotJSON(error.msg, error.lineno, error.colno, hint) from None
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise NotJSON("not valid UTF-8", line, hint="name its encoding, as encoding='latin-1'") from None
    except RecursionError:
        raise NotJSON("nested too deeply") from None
    except NotJSON:
        raise
    except ValueError:  # Python's bound on the digits of an integer, as text
        raise NotJSON("an integer of too many digits") from None


_LINES = "one document a line is NDJSON: name the file .ndjson, or open it as 'ndjson'"
_ARRAY = "an array of documents is JSON: name the file .json, or open it as 'json'"


def as_document(value: Any) -> dict[str, Any]:
    """The value, which must be an object. Raises `NotJSON`."""
    if isinstance(value, dict):
        return value
    kind = _KINDS.get(type(value), "a number")
    raise NotJSON(f"{kind} where an object should be", hint=_ARRAY if isinstance(value, list) else None)


_KINDS = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in made if names.count(name) > 1)
        raise NotJSON(f"the name {twice!r} comes twice in an object")
    return made


def _float(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise NotJSON("a number beyond those that a float holds")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float)
