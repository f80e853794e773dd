"""Statistics and events."""

import asyncio

from xrepo_nb.observe.events import Event, Events
from xrepo_nb.observe.stats import RepoStats, StatsCollector


def test_a_snapshot_has_the_mean_of_each_operation_and_todays_changes():
    stats = StatsCollector(None)
    stats.record("list", 2.0)
    stats.record("list", 4.0)
    stats.record("bulk_create", 1.0, changed=3)
    stats.record("create", 1.0, changed=1)
    stats.record("delete", 1.0)
    found = stats.snapshot(total_count=4)
    assert found.query_performance["list"] == 3.0
    assert (found.total_count, found.created_today, found.deleted_today) == (4, 4, 0)


async def test_the_specifications_form_counts_one_change():
    stats = StatsCollector(None)
    await stats.record_operation("create", 1.5)
    assert stats.snapshot() == RepoStats(created_today=1, query_performance={"create": 1.5})


async def test_handlers_sync_and_async_are_told():
    events, seen = Events(), []

    async def later(event):
        seen.append(("later", event.name))

    events.on("created", lambda e: seen.append(("now", e.name)))
    events.on("*", later)
    events.emit(Event("created", "users"))
    await asyncio.sleep(0)
    assert seen == [("now", "created"), ("later", "created")]


async def test_a_failing_handler_is_logged_and_the_others_run(caplog):
    events, seen = Events(), []

    def fail(event):
        raise RuntimeError("boom")

    events.on("created", fail)
    events.on("created", seen.append)
    events.emit(Event("created", "users"))
    assert len(seen) == 1 and "a handler of 'created' failed" in caplog.text


def test_nobody_listens_until_someone_does_and_after_off():
    events = Events()
    assert not events.wants("created")
    handler = events.on("*", lambda e: None)
    assert events.wants("created")
    events.off("*", handler)
    assert not events.wants("created")
