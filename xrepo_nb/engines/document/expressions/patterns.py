"""Regular expressions: `$regexMatch`, `$regexFind`, `$regexFindAll`."""

from __future__ import annotations

from typing import Any

from xrepo_nb.engines.document import values as v
from xrepo_nb.engines.document.expressions.registry import values
from xrepo_nb.engines.document.expressions.strings import need_text
from xrepo_nb.engines.document.meter import spend
from xrepo_nb.engines.document.numbers import fail
from xrepo_nb.engines.document.predicates import pattern_parts
from xrepo_nb.engines.document.regexes import Pattern, pattern


def _given(op: str, input: Any, regex: Any, options: Any) -> tuple[str, Pattern] | None:
    """The text and the pattern, both checked; None when one of them is null."""
    if not v.is_absent(input):
        need_text(op, input)
    made = _pattern(op, regex, options)
    return None if v.is_absent(input) or made is None else (input, made)


def _pattern(op: str, regex: Any, options: Any) -> Pattern | None:
    letters = "" if v.is_absent(options) else need_text(f"the options of {op}", options)
    if v.is_absent(regex):
        return None
    if v.type_name(regex) == "regex":
        text, own = pattern_parts(regex)
        if own and letters:
            fail(f"{op} has options both in the pattern and beside it")
        letters = own or letters
    else:
        text = need_text(f"the regex of {op}", regex)
    v.utf8(text)
    if "\0" in text or "\0" in letters:
        fail(f"the regex of {op} holds no null byte")
    if not set(letters) <= set("imsxu"):
        fail(f"the options of {op} are letters out of 'imsxu', not {letters!r}")
    return pattern(text, letters)


@values("$regexMatch")
def regex_match(input: Any, regex: Any, options: Any = None) -> bool:
    given = _given("$regexMatch", input, regex, options)
    return given is not None and given[1].find(given[0]) is not None


@values("$regexFind")
def regex_find(input: Any, regex: Any, options: Any = None) -> Any:
    given = _given("$regexFind", input, regex, options)
    found = None if given is None else given[1].find(given[0])
    return None if found is None else _result(found)


@values("$regexFindAll")
def regex_find_all(input: Any, regex: Any, options: Any = None) -> list[Any]:
    given = _given("$regexFindAll", input, regex, options)
    return [] if given is None else [_result(found) for found in given[1].find_all(given[0])]


def _result(found: Any) -> dict[str, Any]:
    spend(8)
    return {"match": found.group(), "idx": found.start(), "captures": list(found.groups())}
