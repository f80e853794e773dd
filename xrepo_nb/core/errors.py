"""The exceptions of xrepo_nb.

XRepoError
├── XRepoConnectionError        a source cannot be reached, or was lost
│   └── XRepoTimeoutError       a deadline passed (also a TimeoutError)
├── XRepoPermissionError        the rules forbid what was asked
├── XRepoValidationError        data does not fit its model or schema (also a ValueError)
│   └── XRepoConflictError      duplicate id, stale version
├── XRepoNotFoundError          no such file, collection, record, namespace (also a LookupError)
└── XRepoConfigurationError     what was asked makes no sense (also a ValueError)
    ├── XRepoQueryError         a filter, pipeline or update is wrong, or fails on the data
    │   └── XRepoLimitError     a query passes a bound on depth, length, time or size
    └── XRepoUnsupportedError   this source or engine cannot do that

Each error carries what was asked, what exists and one hint, and prints all three.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable
from typing import Any, ClassVar, TypeVar

_SHOWN = 12


def closest(asked: str, existing: Iterable[str]) -> str | None:
    """The name in `existing` most like `asked`, or None when none is near.

    >>> closest("agee", ["age", "name"])
    'age'
    """
    names = list(existing)
    folded = {name.casefold(): name for name in reversed(names)}
    found = difflib.get_close_matches(asked.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def an(noun: str) -> str:
    """The noun after its article, for messages whose noun is only known as they are written.

    >>> an("int"), an("string"), an("uuid")
    ('an int', 'a string', 'a uuid')
    """
    return f"{'an' if noun[:1].lower() in tuple('aeio') else 'a'} {noun}"


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "row"), counted(336776, "row"), counted(2, "entry"), counted(2, "key")
    ('1 row', '336,776 rows', '2 entries', '2 keys')
    """
    if number == 1:
        return f"1 {noun}"
    plural = noun[:-1] + "ies" if noun[-1] == "y" and noun[-2:-1] not in "aeou" else noun + "s"
    return f"{number:,} {plural}"


class XRepoError(Exception):
    """Base of every error that xrepo_nb raises.

    `asked` is what the caller named, `exists` the names that there are, `hint` one
    sentence on what to do. Without a hint the nearest existing name is proposed. `result` tells what
    became of each record (a `WriteResult`) where a bulk write failed, and else is None.

    >>> str(XRepoError("column 'agee' not found", asked="agee", exists=["age", "name"]))
    "column 'agee' not found; there are: age, name. Hint: did you mean 'age'?"
    """

    result: Any = None
    _render_traceback_: ClassVar[Callable[[XRepoError], list[str]]]  # IPython's hook, set from above

    def __init__(
        self,
        message: str,
        *,
        asked: Any = None,
        exists: Iterable[str] | None = None,
        hint: str | None = None,
    ) -> None:
        self.message = message
        self.asked = asked
        self.exists = None if exists is None else tuple(exists)
        if hint is None and self.exists and isinstance(asked, str):
            near = closest(asked, self.exists)
            hint = f"did you mean {near!r}?" if near is not None else None
        self.hint = hint
        super().__init__(self._text())

    def _text(self) -> str:
        text = self.message
        if self.exists is not None:
            shown = ", ".join(self.exists[:_SHOWN]) or "none"
            more = len(self.exists) - _SHOWN
            text += f"; there are: {shown}" + (f" and {more} more" if more > 0 else "")
        if self.hint:
            text += f". Hint: {self.hint}"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.__dict__)


def _rebuild(cls: type[XRepoError], message: str, state: dict[str, Any]) -> XRepoError:
    error = cls(message, hint=state.get("hint"))
    error.__dict__.update(state)
    error.args = (error._text(),)
    return error


class XRepoConnectionError(XRepoError):
    """A source cannot be reached, refuses us, or was lost."""


class XRepoTimeoutError(XRepoConnectionError, TimeoutError):
    """A deadline passed before the source answered."""


class XRepoPermissionError(XRepoError):
    """The access rules forbid the operation."""


class XRepoValidationError(XRepoError, ValueError):
    """Data does not fit its model or schema."""


class XRepoConflictError(XRepoValidationError):
    """A record with that id exists already, or was changed meanwhile."""


class XRepoNotFoundError(XRepoError, LookupError):
    """What was named does not exist: a file, collection, record, namespace."""


class XRepoConfigurationError(XRepoError, ValueError):
    """What was asked cannot be understood or makes no sense together."""


class XRepoQueryError(XRepoConfigurationError):
    """A filter, pipeline or update is malformed, or fails on the data it met.

    `at` tells where in the query, as `pipeline[2].$group.total.$summ`.
    """

    def __init__(self, message: str, *, at: str = "", **context: Any) -> None:
        self.at = at
        super().__init__(f"{message} (at {at})" if at else message, **context)


class XRepoLimitError(XRepoQueryError):
    """A query passes a bound: nesting, length, size, time."""


class XRepoUnsupportedError(XRepoConfigurationError):
    """This source or engine cannot do what was asked."""


Choice = TypeVar("Choice", bound=str)


def chosen(option: str, given: Choice, choices: Collection[str]) -> Choice:
    """The value given for an option, which must be one of these: one that nobody reads is a mistake.

    >>> chosen("on_error", "report", ["raise", "report"])
    'report'
    """
    if isinstance(given, str) and given in choices:
        return given
    raise XRepoConfigurationError(f"{option} cannot be {given!r}", asked=given, exists=choices)


def text(option: str, given: Any) -> str:
    """The text given for an option.

    >>> text("name", "people")
    'people'
    """
    if isinstance(given, str):
        return given
    raise XRepoConfigurationError(f"{option} is a text, not {an(type(given).__name__)}", asked=repr(given))


def texts(option: str, given: str | Iterable[str]) -> tuple[str, ...]:
    """The texts given for an option: one, or several.

    >>> texts("null_values", "NA"), texts("null_values", ["NA", "-"])
    (('NA',), ('NA', '-'))
    """
    if isinstance(given, str):
        return (given,)
    found = tuple(given) if isinstance(given, Iterable) else (given,)
    if all(isinstance(item, str) for item in found):
        return found
    raise XRepoConfigurationError(f"{option} is a list of texts", asked=repr(given))
