"""What is shown can be read by everyone: contrast, captions, headers, in the themes that notebooks have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from xrepo_nb.viewers import View

from .samples import views_with

pytestmark = pytest.mark.browser

ENOUGH = 4.5
"""The contrast that WCAG 2 asks of text (level AA)."""

CONTRASTS = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const paint = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const each of colours) { canvas.fillStyle = each; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)].map(v => v / 255);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map(v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => getComputedStyle(e).backgroundColor;
  const grounds = (e) => (e ? [...grounds(e.parentElement), ground(e)] : ['Canvas']);
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('style, title, :disabled')) continue;
    if (!element.checkVisibility()) continue;
    const style = getComputedStyle(element), under = grounds(element);
    const ink = element.closest('svg') ? style.fill : style.color;
    const [a, b] = [light(paint([...under, ink])), light(paint(under))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push([element.className.baseVal ?? element.className, walker.currentNode.data.trim(), ratio]);
  }
  return found;
}"""


def theme(name: str) -> str:
    """The variables of JupyterLab's theme; none for a page that only follows the system."""
    if name.startswith("plain"):
        return ":root { color-scheme: light dark }"
    exporters = pytest.importorskip("nbconvert", reason="nbconvert is not installed")
    folders = exporters.HTMLExporter().template_paths
    static = next(path for folder in folders if (path := Path(folder) / "static").exists())
    return "".join((static / file).read_text("utf-8") for file in ("index.css", f"theme-{name}.css"))


@pytest.fixture(params=["light", "dark", "plain light", "plain dark"])
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    scheme = request.param.rpartition(" ")[2]
    page = browser.new_page(viewport={"width": 1200, "height": 800}, color_scheme=scheme)
    ground = "background: var(--jp-layout-color0, Canvas); color: var(--jp-content-font-color1, CanvasText)"
    page.set_content(f"<!doctype html><style>{theme(request.param)} body {{ {ground} }}</style><main></main>")
    yield page
    page.close()


def show(page: Any, views: list[View]) -> None:
    html = "".join(f'<div class="jp-RenderedHTMLCommon xr-live">{each.to_html()}</div>' for each in views)
    page.evaluate("html => document.querySelector('main').innerHTML = html", html)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")


def test_all_text_stands_out_from_its_ground(page: Any) -> None:
    show(page, views_with("text"))
    found = page.evaluate(CONTRASTS)
    assert len(found) > 100
    assert [(where, text, round(ratio, 2)) for where, text, ratio in found if ratio < ENOUGH] == []


def test_every_table_has_a_caption_and_every_header_a_text_and_a_scope(browser: Any) -> None:
    page = browser.new_page()
    page.set_content("".join(each.to_html() for each in views_with("text")))
    tables = page.locator("table")
    assert tables.count() == page.locator("table > caption:not(:empty)").count() > 10
    assert page.locator("th:not([scope=col]):not([scope=row])").count() == 0
    assert [text for text in page.locator("th").all_text_contents() if not text.strip()] == []
    page.close()


def test_whatever_scrolls_is_reached_by_keyboard_and_named(browser: Any) -> None:
    page = browser.new_page(viewport={"width": 300, "height": 300})
    page.set_content("".join(each.to_html() for each in views_with("text")))
    named = "[tabindex='0'][role=region][aria-label]"
    scrolling = """named => [...document.querySelectorAll('.xr *')]
      .filter(each => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX === 'auto')
      .map(each => each.matches(named))"""
    found = page.evaluate(scrolling, named)
    assert found
    assert all(found)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()
