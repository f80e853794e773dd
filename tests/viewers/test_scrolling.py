"""A table larger than its place shows that it goes on: a shade at the edge where more is."""

from __future__ import annotations

import base64
from typing import Any

import polars as pl
import pytest

from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table
from xrepo_nb.viewers import view
from xrepo_nb.viewers.table import TableView

pytestmark = pytest.mark.browser

BRIGHTNESS = """async ([png, points]) => {
  const image = await createImageBitmap(await (await fetch('data:image/png;base64,' + png)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height), drawn = canvas.getContext('2d');
  drawn.drawImage(image, 0, 0);
  return points.map(x => drawn.getImageData(x, 0, 1, 1).data.slice(0, 3).reduce((a, b) => a + b));
}"""


@pytest.fixture(params=["light", "dark"])
def page(browser: Any, request: pytest.FixtureRequest) -> Any:
    page = browser.new_page(viewport={"width": 600, "height": 400}, color_scheme=request.param)
    yield page
    page.close()


def shades(page: Any, columns: int, scrolled: int = 0) -> tuple[bool, bool]:
    """Whether the left and the right side differ from the middle, within a row without text."""
    table = Table(frame=pl.DataFrame({f"column_{i}": ["x" * 9] for i in range(columns)}))
    plain = "<style>:root{color-scheme:light dark} td{color:transparent!important}</style>"
    page.set_content(f"<!doctype html>{plain}{view(table).to_html()}")
    page.evaluate(f"document.querySelector('.xr-scroll').scrollLeft = {scrolled}")
    page.wait_for_timeout(50)
    frame = page.locator(".xr-scroll").bounding_box()
    row = page.locator("tbody tr").bounding_box()
    clip = {"x": frame["x"], "y": row["y"] + row["height"] / 2, "width": frame["width"], "height": 2}
    png = base64.b64encode(page.screenshot(clip=clip)).decode()
    width = int(frame["width"])
    left, middle, right = page.evaluate(BRIGHTNESS, [png, [4, width // 2, width - 5]])
    return left != middle, right != middle


def test_a_wide_table_is_shaded_where_it_goes_on(page: Any) -> None:
    assert shades(page, 20) == (False, True)
    assert shades(page, 20, scrolled=300) == (True, True)
    assert shades(page, 20, scrolled=99_999) == (True, False)


def test_a_table_that_fits_has_no_shade(page: Any) -> None:
    assert shades(page, 2) == (False, False)


def shaded_below(page: Any, rows: int, scrolled: int = 0) -> bool:
    """Whether the lower edge differs from the middle."""
    table = TableView(Schema.of({"fields": {"a": {"type": "string"}}}), [{"a": "x" * 30}] * rows, total=rows)
    plain = "<style>:root{color-scheme:light dark} td{color:transparent!important;border:0!important}</style>"
    page.set_content(f"<!doctype html>{plain}{table.to_html()}")
    page.evaluate(f"document.querySelector('.xr-scroll').scrollTop = {scrolled}")
    page.wait_for_timeout(50)
    frame = page.locator(".xr-scroll").bounding_box()
    middle, low = frame["y"] + frame["height"] / 2, frame["y"] + frame["height"] - 4
    inks = []
    for y in (middle, low):
        clip = {"x": frame["x"] + frame["width"] / 2, "y": int(y), "width": 4, "height": 1}
        png = base64.b64encode(page.screenshot(clip=clip)).decode()
        inks.append(page.evaluate(BRIGHTNESS, [png, [1]]))
    return bool(inks[0] != inks[1])


def test_a_long_table_is_shaded_below_until_its_end(page: Any) -> None:
    page.set_viewport_size({"width": 600, "height": 700})
    assert shaded_below(page, 40)
    assert not shaded_below(page, 40, scrolled=99_999)
    assert not shaded_below(page, 5)
