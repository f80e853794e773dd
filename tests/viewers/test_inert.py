"""What is shown cannot act: payloads in every place, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest

from xrepo_nb.viewers import view

from .payloads import PAYLOADS
from .samples import views_with

_ACTIVE = "script, iframe, img, object, embed, link, meta, base, form, video, math, template, a"


@pytest.mark.browser
def test_nothing_that_data_says_is_done_or_fetched(browser: Any) -> None:
    page = browser.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail("a dialog opened"))
    shown = "".join(each.to_html() for text in PAYLOADS for each in views_with(text))
    page.set_content(f"<!doctype html><main>{shown}</main>")
    page.add_script_tag(
        content="document.querySelectorAll('*').forEach(e => e.dispatchEvent(new Event('focus')))"
    )
    page.wait_for_timeout(100)

    assert page.evaluate("window.pwned") is None
    assert requests == []
    assert page.evaluate(f"document.querySelector('main').querySelectorAll({_ACTIVE!r}).length") == 0
    assert (
        page.evaluate(
            "[...document.querySelectorAll('main *')].flatMap(e => e.getAttributeNames())"
            ".filter(name => name.startsWith('on') || name === 'href' || name === 'src')"
        )
        == []
    )
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("text", ["<b>bold</b>", '"><i>x</i>', "a & b &lt; c"])
def test_the_browser_reads_back_the_very_text(browser: Any, text: str) -> None:
    page = browser.new_page()
    page.set_content(views_with(text)[0].to_html())
    assert page.inner_text("tbody tr:first-child td:first-child") == text
    assert page.inner_text("thead th:first-child span") == text
    assert page.get_attribute("tbody tr:nth-child(3) td:first-child", "title") is None
    page.close()


@pytest.mark.parametrize("text", PAYLOADS)
def test_no_payload_stands_in_the_markup_unescaped(text: str) -> None:
    for each in views_with(text):
        html = each.to_html()
        style, _, rest = html.partition("</style>")
        assert rest.count("<script") == rest.count("<img") == rest.count("<style") == 0
        assert "<script" not in style


def test_every_registered_kind_has_a_sample_here() -> None:
    from xrepo_nb.viewers.registry import _viewers

    shown = {type(each).__name__ for each in views_with("x")}
    makers = {str(viewer).rpartition(":")[2].partition(".")[0] for viewer in _viewers.values()}
    assert makers - {"rows_view"} <= shown


def test_every_registered_kind_is_a_class_that_exists() -> None:
    from importlib import import_module

    from xrepo_nb.viewers.registry import _viewers

    for kind in _viewers:
        module, _, name = kind.rpartition(".")
        assert isinstance(getattr(import_module(module), name), type), kind


def test_an_unknown_kind_is_refused_by_name() -> None:
    from xrepo_nb.core.errors import XRepoNotFoundError

    with pytest.raises(XRepoNotFoundError, match=r"no viewer is registered for builtins\.object"):
        view(object())
