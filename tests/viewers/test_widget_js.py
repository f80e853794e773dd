"""The browser's half of a widget, with a model of our own in place of the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from xrepo_nb.schema.schema import Schema
from xrepo_nb.viewers.base import STATIC
from xrepo_nb.viewers.explorer import ExplorerView, Question
from xrepo_nb.viewers.table import TableView

pytestmark = pytest.mark.browser

_START = """async ([source, html]) => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const widget = (await import(url)).default;
  const state = { html, busy: false }, listeners = {};
  window.sent = [];
  const model = {
    get: (name) => state[name],
    send: (message) => window.sent.push(message),
    on: (event, call) => { listeners[event] = call; },
    off: (event) => { delete listeners[event]; },
  };
  window.change = (name, value) => { state[name] = value; listeners[`change:${name}`]?.(); };
  window.listening = () => Object.keys(listeners).length;
  window.end = widget.render({ model, el: document.querySelector("main") });
}"""


def _view(**question: Any) -> ExplorerView:
    schema = Schema.of({"fields": {"name": {"type": "string"}, "age": {"type": "int"}}})
    rows = [{"name": f"n{i}", "age": i} for i in range(10)]
    asked = Question(**question)
    return ExplorerView(
        TableView(schema, rows, name="people", total=35, skip=asked.skip), "people", asked, asked.typed
    )


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page()
    page.set_content("<!doctype html><main></main>")
    page.evaluate(_START, [(STATIC / "widget.js").read_text("utf-8"), _view().to_html()])
    yield page
    page.close()


def test_clicks_and_typed_filters_are_told_to_the_kernel(page: Any) -> None:
    page.click("th button[data-field=age]")
    page.fill("input[data-field=name]", "n1")
    page.press("input[data-field=name]", "Enter")
    page.click("button[data-field=next]")
    assert page.evaluate("window.sent") == [
        {"do": "sort", "field": "age", "value": ""},
        {"do": "filter", "field": "name", "value": "n1"},
        {"do": "page", "field": "next", "value": "10"},
    ]


def test_the_whole_of_it_works_by_keyboard(page: Any) -> None:
    page.focus("th button[data-field=name]")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("x")
    page.keyboard.press("Enter")
    assert [message["do"] for message in page.evaluate("window.sent")] == ["sort", "filter"]


def test_a_redraw_keeps_the_focus_and_shows_the_new_rows(page: Any) -> None:
    page.focus("input[data-field=age]")
    page.evaluate("html => window.change('html', html)", _view(skip=10, typed={"age": "> 3"}).to_html())
    assert page.evaluate("document.activeElement.dataset.field") == "age"
    assert page.input_value("input[data-field=age]") == "> 3"
    assert "rows 11 to 20 of 35" in page.inner_text("main")


@pytest.mark.parametrize(
    ("clipboard", "said"),
    [
        ("{ writeText: async (text) => { window.copied = text } }", "copied"),
        ("{ writeText: async () => { throw new Error('denied') } }", "selected"),
        ("undefined", "selected"),
    ],
)
def test_the_query_is_copied_or_else_selected(page: Any, clipboard: str, said: str) -> None:
    page.evaluate(f"Object.defineProperty(navigator, 'clipboard', {{ value: {clipboard} }})")
    page.click("button[data-do=copy]")
    page.locator("button[data-do=copy]", has_text=said).wait_for()
    taken = page.evaluate("window.copied ?? getSelection().toString()")
    assert taken == "await people.list({}, limit=10)"


def test_keys_in_a_filter_box_do_not_reach_the_notebook(page: Any) -> None:
    page.evaluate("document.addEventListener('keydown', () => { window.leaked = true })")
    page.focus("input[data-field=age]")
    page.keyboard.press("d")
    assert page.evaluate("window.leaked") is None


def test_waiting_is_announced_and_leaving_takes_the_listeners_away(page: Any) -> None:
    page.evaluate("window.change('busy', true)")
    assert page.get_attribute("main", "aria-busy") == "true"
    page.evaluate("window.end()")
    assert page.evaluate("window.listening()") == 0


def test_a_narrow_screen_scrolls_the_table_and_not_the_page(page: Any) -> None:
    page.set_viewport_size({"width": 320, "height": 600})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_controls_are_hidden_where_nobody_listens(page: Any) -> None:
    assert page.is_visible("input[data-field=age]")
    page.set_content(_view().to_html())
    assert not page.is_visible("input[data-field=age]")
    assert not page.is_visible("button[data-do=page][data-field=next]")
    assert page.is_visible("text=first 10 of 35 rows")
    assert page.is_visible("th >> text=age")
