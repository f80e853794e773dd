"""Audit entries, from intent to outcome."""

from datetime import UTC

import pytest

import xrepo_nb as xr
from xrepo_nb.governance.audit import AuditEntry, AuditLogger
from xrepo_nb.governance.identity import Identity


def test_an_intent_is_unknown_until_its_outcome_is_recorded():
    log = AuditLogger(None)
    entry = log.begin("create", Identity("ann"), entity_id=7, changes={"age": 3})
    assert log.entries[0].outcome == "unknown"
    log.end(entry, "applied", rows=1)
    found = log.entries[0]
    assert (found.user_id, found.entity_id, found.changes, found.outcome) == ("ann", 7, {"age": 3}, "applied")
    assert found.metadata == {"rows": 1} and found.timestamp.tzinfo is UTC


async def test_the_specifications_form_logs_an_entry():
    log = AuditLogger(None)
    await log.log(AuditEntry(operation="read"))
    assert [e.operation for e in log.entries] == ["read"]


def test_old_entries_leave_memory_but_are_counted(change_settings):
    change_settings(audit_entries=2)
    log = AuditLogger(None)
    for n in range(5):
        log.record(AuditEntry(operation=f"op{n}"))
    assert [e.operation for e in log.entries] == ["op3", "op4"]
    assert log.entries.dropped == 3 and "3 older dropped" in repr(log.entries)


def test_a_view_of_the_log_does_not_change_under_the_reader():
    log = AuditLogger(None)
    log.record(AuditEntry(operation="a"))
    view = log.entries
    log.record(AuditEntry(operation="b"))
    assert len(view) == 1 and len(view[:1]) == 1
    with pytest.raises(TypeError):
        view[0:1] = []


async def test_the_log_changes_with_nothing_that_was_given_or_handed_out():
    repo = xr.MaterializedRepo(data=[{"id": 1, "tags": ["a"]}], name="notes")
    given = {"id": 2, "tags": ["a"], "at": {"day": 1}}
    await repo.create(given)
    given["tags"].append("b")
    given["at"]["day"] = 2
    for entry in (repo.audit[0], *repo.audit, *repo.audit[:1], *await repo.get_audit_log()):
        entry.outcome, entry.user_id = "failed", "somebody else"
        entry.changes["tags"].clear()
        entry.metadata.clear()
    (kept,) = repo.audit
    assert (kept.outcome, kept.user_id, kept.metadata["rows"]) == ("applied", None, 1)
    assert kept.changes == {"id": 2, "tags": ["a"], "at": {"day": 1}}


async def test_rules_that_are_replaced_or_refused_are_entries():
    boss, ann = Identity("eve", {"boss"}), Identity("ann")
    rules = [xr.ACLRule(role="boss", permissions=["admin"])]
    repo = await xr.open([{"id": 1}], name="notes", rules=rules, register=False)
    with pytest.raises(xr.XRepoPermissionError):
        repo.set_rules([], ann)
    with pytest.raises(xr.XRepoConfigurationError):
        repo.set_rules([{"role": "boss"}, 1], boss)
    repo.set_rules(rules, boss)
    found = [(e.operation, e.user_id, e.outcome) for e in await repo.get_audit_log(user_id=boss)]
    assert found == [
        ("set_rules", "ann", "denied"), ("set_rules", "eve", "failed"), ("set_rules", "eve", "applied")
    ]  # fmt: skip
