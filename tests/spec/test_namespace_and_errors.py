"""Specification, "Exception Hierarchy", "Key Integration Points", "CacheManager Namespace Extension"."""

from __future__ import annotations

from typing import Any

import pytest

import xrepo_nb as xr
from xrepo_nb import CacheManager, XInspector, XObjPrototype, XRepoFactory, XSettings, model_registry


@pytest.mark.parametrize(
    "name",
    [
        "XRepoConnectionError", "XRepoPermissionError", "XRepoValidationError", "XRepoNotFoundError",
        "XRepoConfigurationError",
    ],
)  # fmt: skip
def test_exception_hierarchy(name: str) -> None:
    assert issubclass(getattr(xr, name), xr.XRepoError) and issubclass(xr.XRepoError, Exception)


def test_configuration_errors_are_value_errors() -> None:
    """Correction: a bare ValueError there is an XRepoConfigurationError here."""
    assert issubclass(xr.XRepoConfigurationError, ValueError)


async def test_namespace_methods() -> None:
    cache = CacheManager(backend="memory")
    await cache.register_ns("ns.models.User", int)
    assert await cache.get_ns("ns.models.User") is int
    assert await cache.get_ns("ns.models.Nobody", "none") == "none"
    await cache.register_indirect("user", "ns.models.User")
    assert await cache.get_ns_by_key("user") == "ns.models.User"
    assert await cache.list_ns("ns.models.*") == ["ns.models.User"]
    await cache.register_ns("ns.fuzzy.users.user123", "John Doe john@example.com")
    assert await cache.fuzzy_search("ns.fuzzy.*", "JOHN") == ["ns.fuzzy.users.user123"]
    with pytest.raises(ValueError, match="unknown cache backend 'disk'"):
        CacheManager(backend="disk")


async def test_initialize_namespace_system(database: Any) -> None:
    """The start-up example, in an order in which each name is made before it is used."""
    cache_manager = CacheManager()
    settings = XSettings()
    await cache_manager.register_ns("ns.settings.app", settings)
    await cache_manager.register_ns("ns.resources.db", database)
    inspector = XInspector(database)
    await cache_manager.register_ns("ns.inspector.db", inspector)
    UserModel = await inspector.generate_model("users")  # Inspector generates
    model_registry.register(UserModel)  # Registry only registers
    await cache_manager.register_ns("ns.models.User", UserModel)
    user_repo = await XRepoFactory.create_from_resource(
        resource=database, model_class=UserModel, collection="users", materialized=None
    )
    assert isinstance(user_repo, xr.ConnectedRepo)
    await cache_manager.register_ns("ns.repos.users", user_repo)
    user = UserModel(user_id=9, name="John Doe", email="john@example.com", role="admin", status="active")
    fuzzy_text = user.get_fuzzy_text()
    await cache_manager.register_ns("ns.fuzzy.users.user123", fuzzy_text)
    assert await cache_manager.fuzzy_search("ns.fuzzy.users.*", "john doe") == ["ns.fuzzy.users.user123"]
    assert await cache_manager.list_ns("ns.*") == [
        "ns.fuzzy.users.user123", "ns.inspector.db", "ns.models.User", "ns.repos.users", "ns.resources.db",
        "ns.settings.app",
    ]  # fmt: skip


def test_fuzzy_text_of_the_searchable_fields() -> None:
    class UserModel(XObjPrototype):
        fuzzy_fields = ("name", "email")
        name: str
        email: str
        role: str

    user = UserModel(name="John Doe", email="john@example.com", role="admin")
    assert user.get_fuzzy_text() == "John Doe john@example.com"
