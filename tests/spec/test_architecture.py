"""Specification, "Architecture": Permission, ACLRule, AuditEntry, RepoStats, RepoMetadata, XRepo."""

from __future__ import annotations

import inspect
from abc import ABC
from datetime import UTC, datetime, timedelta
from typing import Any, Generic

import pytest

from xrepo_nb import (
    ACLManager,
    ACLRule,
    AuditEntry,
    AuditLogger,
    CacheManager,
    ConnectedRepo,
    MaterializedRepo,
    Permission,
    RepoMetadata,
    RepoStats,
    StatsCollector,
    XObjPrototype,
    XRepo,
)


def test_permission() -> None:
    assert {p.name: p.value for p in Permission} == {
        "CREATE": "create", "READ": "read", "UPDATE": "update", "DELETE": "delete", "LIST": "list",
        "ADMIN": "admin",
    }  # fmt: skip
    assert issubclass(Permission, str)


def test_acl_rule() -> None:
    rule = ACLRule(role="admin", permissions=[Permission.READ])
    assert rule.conditions is None
    assert ACLRule(role="a", permissions=["read"], conditions={"rows": {"x": 1}}).conditions == {
        "rows": {"x": 1}
    }


def test_audit_entry() -> None:
    entry = AuditEntry(operation="create")
    assert datetime.now(UTC) - entry.timestamp < timedelta(seconds=5)
    assert (entry.user_id, entry.entity_id, entry.changes, entry.metadata) == (None, None, None, {})


def test_repo_stats() -> None:
    assert RepoStats().model_dump() == {
        "total_count": 0, "created_today": 0, "updated_today": 0, "deleted_today": 0,
        "field_cardinalities": {}, "storage_size_bytes": None, "index_stats": {}, "query_performance": {},
    }  # fmt: skip


def test_repo_metadata() -> None:
    metadata = RepoMetadata(name="users", resource_name="db", model_name="User")
    assert metadata.model_dump() == {
        "name": "users", "description": None, "resource_name": "db", "model_name": "User", "indexes": [],
        "constraints": [], "enable_audit": True, "enable_statistics": True, "cache_enabled": False,
        "cache_ttl": 300, "acl_rules": [], "soft_delete": True, "auto_timestamps": True,
    }  # fmt: skip


SIGNATURES: dict[str, dict[str, Any]] = {
    "create": {"data": ..., "user_id": None},
    "read": {"id": ..., "user_id": None},
    "update": {"id": ..., "data": ..., "user_id": None},
    "delete": {"id": ..., "soft": True, "user_id": None},
    "list": {"filters": None, "skip": 0, "limit": 100, "sort": None, "user_id": None},
    "count": {"filters": None, "user_id": None},
    "exists": {"id": ..., "user_id": None},
    "bulk_create": {"data": ..., "user_id": None},
    "bulk_update": {"updates": ..., "user_id": None},
    "bulk_delete": {"ids": ..., "soft": True, "user_id": None},
    "get_statistics": {},
    "get_audit_log": {"filters": None, "limit": 100},
    "aggregate": {"pipeline": ..., "user_id": None},
    "find_one": {"filters": ..., "user_id": None},
    "distinct": {"field": ..., "filters": None, "user_id": None},
    "_check_permission": {"permission": ..., "user_id": ..., "data": None},
    "_audit_operation": {"operation": ..., "user_id": ..., "entity_id": None, "changes": None},
    "_update_stats": {"operation": ..., "duration_ms": ...},
}


@pytest.mark.parametrize("repo", [ConnectedRepo, MaterializedRepo])
@pytest.mark.parametrize("name", SIGNATURES)
def test_each_method_has_the_parameters_in_order(repo: type[Any], name: str) -> None:
    method = getattr(repo, name)
    parameters = list(inspect.signature(method).parameters.values())[1:]
    given = {p.name: ... if p.default is p.empty else p.default for p in parameters}
    expected = SIGNATURES[name]
    assert list(given.items())[: len(expected)] == list(expected.items())
    assert all(p.default is not p.empty for p in parameters[len(expected) :])
    assert inspect.iscoroutinefunction(method)


def test_the_hierarchy() -> None:
    assert issubclass(XRepo, XObjPrototype) and issubclass(XRepo, Generic) and issubclass(XRepo, ABC)  # type: ignore[arg-type]
    assert issubclass(ConnectedRepo, XRepo) and issubclass(MaterializedRepo, XRepo)
    assert inspect.isabstract(XRepo)
    with pytest.raises(TypeError):
        XRepo(None, None, RepoMetadata(name="x"))  # type: ignore[abstract]
    assert list(inspect.signature(XRepo.__init__).parameters)[1:4] == ["resource", "model_class", "metadata"]


def everything() -> MaterializedRepo[Any]:
    rule = ACLRule(
        role="*", permissions=[Permission.LIST, Permission.CREATE], conditions={"rows": {"ok": True}}
    )
    metadata = RepoMetadata(name="users", cache_enabled=True, cache_ttl=7, acl_rules=[rule])
    return MaterializedRepo(data=[{"_id": 1, "ok": True}], metadata=metadata)


def test_components_are_made_as_the_metadata_says() -> None:
    repo = everything()
    assert repo.get_ns() == "repos.users"
    assert isinstance(repo._audit_logger, AuditLogger)
    assert isinstance(repo._stats_collector, StatsCollector)
    assert isinstance(repo._cache, CacheManager) and repo._cache.ttl == 7
    assert isinstance(repo._acl_manager, ACLManager)
    off = RepoMetadata(name="off", enable_audit=False, enable_statistics=False)
    bare = MaterializedRepo(data=[{"_id": 1}], metadata=off)
    assert (bare._audit_logger, bare._stats_collector, bare._cache, bare._acl_manager) == (None,) * 4


async def test_a_repo_without_components_works() -> None:
    off = RepoMetadata(name="off", enable_audit=False, enable_statistics=False)
    repo = MaterializedRepo(data=[{"_id": 1}], metadata=off)
    assert await repo.list() == [{"_id": 1}]
    assert await repo.get_audit_log() == []
    assert (await repo.get_statistics()).total_count == 1


async def test_check_permission() -> None:
    repo = everything()
    assert await repo._check_permission(Permission.LIST, None)
    assert not await repo._check_permission(Permission.DELETE, None)
    assert await repo._check_permission(Permission.CREATE, "ann", {"ok": True})
    assert not await repo._check_permission(Permission.CREATE, "ann", {"ok": False})
    assert await MaterializedRepo(data=[{"_id": 1}])._check_permission(Permission.DELETE, None)


async def test_audit_operation_and_update_stats() -> None:
    repo = MaterializedRepo(data=[{"_id": 1}])
    await repo._audit_operation("export", "ann", entity_id=1, changes={"to": "csv"})
    entry = (await repo.get_audit_log())[0]
    assert (entry.operation, entry.user_id, entry.entity_id, entry.changes) == (
        "export",
        "ann",
        1,
        {"to": "csv"},
    )
    await repo._update_stats("export", 2.0)
    await repo._update_stats("export", 4.0)
    assert (await repo.get_statistics()).query_performance["export"] == 3.0


async def test_namespace_management(clean_namespace: Any) -> None:
    """Q1: repos are managed through the namespace."""
    repo = everything()
    await clean_namespace.register_ns("ns." + repo.get_ns(), repo)
    assert await clean_namespace.get_ns("ns.repos.users") is repo
