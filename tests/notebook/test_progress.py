"""Progress: silent when short, a bar when long, off when told."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from xrepo_nb.core import progress as core
from xrepo_nb.notebook import progress as bars


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, change_settings: Callable[..., None]) -> Iterator[None]:
    monkeypatch.setattr(bars, "DELAY", 0.02)
    change_settings(progress=True)
    with core.reporting(bars.bars):
        yield


def test_short_work_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with core.progress("quick", total=10) as step:
        step(10)
    time.sleep(0.05)
    assert capfd.readouterr() == ("", "")


def drawn(capfd: pytest.CaptureFixture[str]) -> str:
    """What stands on the screen, once something does."""
    deadline = time.monotonic() + 30
    while not (seen := capfd.readouterr().err) and time.monotonic() < deadline:
        time.sleep(0.01)
    return seen


def test_long_work_shows_its_label_and_amount(capfd: pytest.CaptureFixture[str]) -> None:
    with bars.progress(total=4, label="joining flights") as step:
        step(1)
        seen = drawn(capfd)
        step(3)
    assert "joining flights" in seen and "/4.00" in seen


async def test_a_bar_appears_while_the_loop_waits_for_a_thread(capfd: pytest.CaptureFixture[str]) -> None:
    with core.progress("reading") as step:
        seen = await asyncio.to_thread(drawn, capfd)
        step(5)
    assert "reading" in seen


def test_steps_of_many_threads_are_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = bars._Bar("many", 4000)
    threads = [threading.Thread(target=lambda: [bar.step(1) for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bar.close()
    assert bar._done == 4000


def test_the_setting_turns_bars_off(
    change_settings: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    change_settings(progress=False)
    with core.progress("hidden", total=2) as step:
        time.sleep(0.1)
        step(2)
    assert capfd.readouterr() == ("", "")


def test_without_tqdm_there_is_no_bar_and_no_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bars, "find_spec", lambda name: None)
    with core.progress("hidden") as step:
        time.sleep(0.1)
        step(1)
    assert capfd.readouterr() == ("", "")


def test_nothing_is_imported_until_a_bar_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "tqdm"]:
        monkeypatch.delitem(sys.modules, name)
    with core.progress("quick"):
        pass
    assert "tqdm" not in sys.modules


def test_silence_can_be_chosen_for_a_block(capfd: pytest.CaptureFixture[str]) -> None:
    with core.reporting(core.silent), core.progress("hidden") as step:
        time.sleep(0.1)
        step(1)
    assert capfd.readouterr() == ("", "")
