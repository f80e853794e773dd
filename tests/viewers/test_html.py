"""HTML is built in one place, which escapes whatever it did not make."""

from __future__ import annotations

import pytest

from xrepo_nb.viewers.html import Html, join, tag, text


@pytest.mark.parametrize(
    ("given", "escaped"),
    [
        ("<script>", "&lt;script&gt;"),
        ("a & b", "a &amp; b"),
        ("\"'", "&quot;&#x27;"),
        ("\x00\x1b", "\\u0000\\u001b"),
        ("abc\u202ecod.exe", "abc\\u202ecod.exe"),
        ("\ud800", "\\ud800"),
    ],
)
def test_text_is_escaped_and_made_visible(given: str, escaped: str) -> None:
    assert text(given) == escaped
    assert tag("td", given) == f"<td>{escaped}</td>"
    assert tag("td", title=given) == f'<td title="{escaped}"></td>'


def test_markup_made_here_is_kept_and_anything_else_is_not() -> None:
    assert tag("td", tag("b", 1), "<b>", None, [2, "&"]) == "<td><b>1</b>&lt;b&gt;2&amp;</td>"
    assert join([str(tag("b")) + ""]) == "&lt;b&gt;&lt;/b&gt;"


def test_an_object_cannot_pass_for_markup_by_its_methods() -> None:
    class Sly:
        def __html__(self) -> str:
            return "<script>"

        def __str__(self) -> str:
            return "<i>"

    assert join([Sly()]) == "&lt;i&gt;"


@pytest.mark.parametrize("name", ["td><script", "", "1a", "a b", "td\n"])
def test_names_of_elements_and_attributes_are_names(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        tag(name)
    with pytest.raises(ValueError, match="not a name"):
        tag("td", **{name: "x"})


def test_empty_elements_close_themselves_as_svg_needs_it() -> None:
    assert tag("rect", x="1") == '<rect x="1" />'
    assert isinstance(tag("rect"), Html)
