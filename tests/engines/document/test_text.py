"""Strings and regular expressions."""

from __future__ import annotations

import re
from typing import Any

import pytest
from asking import matches, rows, value
from bson import Code, Regex

from xrepo_nb.core.errors import XRepoLimitError, XRepoQueryError
from xrepo_nb.engines.document import compile_predicate, limits
from xrepo_nb.query.parsing import parse_filter


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ({"$concat": []}, ""),
        ({"$concat": ["a", None]}, None),
        ({"$toUpper": "straße é"}, "STRAßE é"),
        ({"$toLower": None}, ""),
        ({"$toUpper": 12}, "12"),
        ({"$strcasecmp": ["abc", "ABD"]}, -1),
        ({"$strcasecmp": [None, ""]}, 0),
        ({"$strLenCP": "é€😀"}, 3),
        ({"$strLenBytes": "é€😀"}, 9),
        ({"$split": ["a-b-c", "-"]}, ["a", "b", "c"]),
        ({"$split": ["$no", "-"]}, None),
        ({"$indexOfCP": ["café", "é"]}, 3),
        ({"$indexOfBytes": ["é-é", "-"]}, 2),
        ({"$indexOfCP": ["abcabc", "c", 3]}, 5),
        ({"$indexOfCP": ["abc", "c", 0, 2]}, -1),
        ({"$indexOfCP": ["abc", "", 3]}, 3),
        ({"$indexOfCP": ["abc", "", 4]}, -1),
        ({"$indexOfCP": [None, 1]}, None),
        ({"$substrCP": ["😀bc", 1, 5]}, "bc"),
        ({"$substrBytes": ["€uro", 3, -1]}, "uro"),
        ({"$substr": ["abc", 9, 1]}, ""),
        ({"$substrCP": [None, 0, 1]}, ""),
        ({"$trim": {"input": " \t\u2003x\u00a0"}}, "x"),
        ({"$trim": {"input": "xxaxx", "chars": "x"}}, "a"),
        ({"$ltrim": {"input": "xya", "chars": "yx"}}, "a"),
        ({"$rtrim": {"input": "a ", "chars": None}}, None),
        ({"$replaceOne": {"input": "aXbX", "find": "X", "replacement": "-"}}, "a-bX"),
        ({"$replaceAll": {"input": "aXbX", "find": "X", "replacement": ""}}, "ab"),
        ({"$replaceAll": {"input": "a", "find": None, "replacement": "x"}}, None),
        ({"$regexMatch": {"input": "Hello", "regex": "^h", "options": "i"}}, True),
        ({"$regexMatch": {"input": None, "regex": "a"}}, False),
        ({"$regexFind": {"input": "😀ab", "regex": "(a)(x)?"}},
         {"match": "a", "idx": 1, "captures": ["a", None]}),
        ({"$regexFind": {"input": "a", "regex": "b"}}, None),
        ({"$regexFindAll": {"input": None, "regex": "b"}}, []),
        ({"$regexFindAll": {"input": "ab", "regex": ""}},
         [{"match": "", "idx": 0, "captures": []}, {"match": "", "idx": 1, "captures": []}]),
    ],
)  # fmt: skip
def test_values(expression: Any, expected: Any) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        {"$concat": ["a", 1]},
        {"$concat": [1, None]},
        {"$toUpper": True},
        {"$toUpper": {"$literal": {"a": 1}}},
        {"$strLenCP": None},
        {"$strLenBytes": 5},
        {"$split": ["a", ""]},
        {"$split": [1, "a"]},
        {"$indexOfCP": ["a", 1]},
        {"$indexOfCP": ["a", "a", -1]},
        {"$substrCP": ["a", -1, 1]},
        {"$substrCP": ["a", 0, -1]},
        {"$substrBytes": ["é", 1, 1]},
        {"$substrBytes": ["é", 0, 1]},
        {"$trim": {"input": 1}},
        {"$replaceAll": {"input": 1, "find": "a", "replacement": "b"}},
        {"$regexMatch": {"input": 1, "regex": "a"}},
        {"$regexMatch": {"input": "a", "regex": "("}},
        {"$regexMatch": {"input": "a", "regex": "a", "options": "g"}},
    ],
)
def test_wrong_arguments_are_refused(expression: Any) -> None:
    with pytest.raises(XRepoQueryError):
        value(expression)


@pytest.mark.parametrize(
    ("pattern", "options", "text", "found"),
    [
        (r"^ab$", "", "ab\n", True),
        (r"^b", "m", "a\nb", True),
        (r"a.b", "", "a\nb", False),
        (r"a.b", "s", "a\nb", True),
        (r"a b # note", "x", "ab", True),
        (r"É", "i", "é", True),
        (r"^\w+$", "", "é", False),
        (r"^\W$", "", "é", True),
        (r"[[:alpha:]]", "", "é", False),
        (r"^[\w-]+$", "", "a-b", True),
        (r"\bx\b", "", "a x", True),
        (r"(?<y>a)\k<y>", "", "aa", True),
        (r"\Qa.c\E", "", "abc", False),
        (r"a\Z", "", "a\n", True),
        (r"a\z", "", "a\n", False),
        (r"\x{1F600}", "", "😀", True),
        (r"[]a]", "", "]", True),
        (r"[^]a]", "", "a", False),
        (r"(?>a+)ab", "", "aaab", False),
        (r"^(?=.*\d)", "", "x1", True),
        (r"(*UTF8)a", "", "a", True),
    ],
)
def test_patterns_are_spelled_as_in_pcre(pattern: str, options: str, text: str, found: bool) -> None:
    assert matches({"t": {"$regex": pattern, "$options": options}}, {"t": text}) is found


def test_patterns_match_elements_and_stored_patterns() -> None:
    assert matches({"t": re.compile("^b")}, {"t": ["ab", "ba"]})
    assert matches({"t": {"$in": [re.compile("^b"), 3]}}, {"t": "bc"})
    assert matches({"t": re.compile("b", re.I)}, {"t": re.compile("b", re.I)})
    assert not matches({"t": re.compile("b")}, {"t": 5})


@pytest.mark.parametrize(
    "pattern",
    [r"(a+)+$", r"(a|aa)+$", r"(a|a?)+$", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(?:(?:a?){30}){30}a{30}b"],
)
def test_an_evil_pattern_finds_nothing_or_is_ended(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REGEX_SECONDS", 0.05)
    try:
        assert not matches({"t": {"$regex": pattern}}, {"t": "a" * 4000 + "!"})
    except XRepoLimitError:
        pass


def test_strings_do_not_grow_without_bound() -> None:
    with pytest.raises(XRepoLimitError):
        value({"$replaceAll": {"input": "$t", "find": "", "replacement": "$t"}}, {"t": "a" * 10_000})


def test_a_pattern_slow_on_every_value_ends_in_bounded_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REGEX_SLOW_SECONDS", 0.0001)
    monkeypatch.setattr(limits, "REGEX_TOTAL_SECONDS", 0.05)
    matches = compile_predicate(parse_filter({"a": {"$regex": r"^(a|aa)+$"}}))
    document = {"a": "a" * 22 + "!"}
    with pytest.raises(XRepoLimitError, match="in all"):
        for _ in range(10_000):
            matches(document)


@pytest.mark.parametrize("pattern", [r"((a{1000}){1000}){1000}", r"(a{1,999999}){2}"])
def test_repeats_within_repeats_are_bounded(pattern: str) -> None:
    with pytest.raises(XRepoLimitError, match="repetitions"):
        matches({"t": {"$regex": pattern}}, {"t": "a"})
    assert matches({"t": {"$regex": r"^(a{2}b{3,4}){2}$"}}, {"t": "aabbb" * 2})


def test_code_counts_as_text_and_absent_input_is_not_trimmed() -> None:
    assert value({"$toUpper": "$x"}, {"x": Code("abc")}) == "ABC"
    assert value({"$trim": {"input": None, "chars": 1}}) is None


def test_null_options_leave_those_of_the_pattern() -> None:
    assert value({"$regexMatch": {"input": "a", "regex": Regex("A", "i"), "options": None}}) is True


@pytest.mark.parametrize("text", ["(){70000}(){70000}", "((a|b){500}|c){500}", "(?:[]a]{400}x){400}"])
def test_the_size_of_a_pattern_is_counted_as_written_out(text: str) -> None:
    with pytest.raises(XRepoLimitError, match="repetitions"):
        matches({"t": {"$regex": text}}, {"t": "a"})


@pytest.mark.parametrize("text", ["a{900}b{900}c{900}", r"\{500}\{500}\{500}", "[{900}]{900}", "(a{90}){90}"])
def test_repeats_side_by_side_add_up(text: str) -> None:
    assert not matches({"t": {"$regex": text}}, {"t": "a"})


def test_a_pattern_of_bytes_in_the_data_is_the_text_that_they_are() -> None:
    document = {"t": "banana", "p": re.compile("á".encode(), re.IGNORECASE), "q": Regex(b"an")}
    found = {"$regexFindAll": {"input": "$t", "regex": "$q"}}
    assert [item["idx"] for item in value(found, document)] == [1, 3]
    assert value({"$regexMatch": {"input": "CÁ", "regex": "$p"}}, document) is True
    assert value({"$eq": ["$q", Regex("an")]}, document) is True
    assert matches({"q": {"$regex": "an"}}, document)


@pytest.mark.parametrize("op", ["$regexMatch", "$regexFind", "$regexFindAll"])
def test_bytes_that_are_no_text_are_no_pattern(op: str) -> None:
    with pytest.raises(XRepoQueryError, match="not valid Unicode"):
        value({op: {"input": "a", "regex": "$p"}}, {"p": re.compile(b"\xff")})


def test_patterns_of_bytes_and_of_text_have_one_order() -> None:
    patterns = [Regex("b"), Regex(b"c"), re.compile(b"\xff"), re.compile("a"), re.compile(b"a", re.I)]
    documents = [{"_id": i, "p": p} for i, p in enumerate(patterns)]
    assert [row["_id"] for row in rows([{"$sort": {"p": 1}}], documents)] == [3, 4, 0, 1, 2]


@pytest.mark.parametrize("test", [{"$regex": Code("a")}, {"$type": Code("int")}])
def test_code_is_no_text_of_a_filter(test: dict[str, Any]) -> None:
    with pytest.raises(XRepoQueryError, match="Code"):
        parse_filter({"a": test})


def test_where_bytes_of_a_text_are_looked_for_it_must_be_valid() -> None:
    with pytest.raises(XRepoQueryError, match="not valid Unicode"):
        value({"$indexOfBytes": ["a", "\ud800"]})
