"""The registry of models, and what it tells user interfaces."""

import pytest

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoNotFoundError
from xrepo_nb.core.prototype import XObjPrototype
from xrepo_nb.schema.models import build_model
from xrepo_nb.schema.registry import XRegistry, derived_hints, model_registry
from xrepo_nb.schema.schema import Schema

SCHEMA = {
    "fields": {
        "_id": {"type": "int", "required": True},
        "fullName": {"type": "string", "description": "as on the passport"},
        "role": {"type": "string", "enum": ["admin", "user"]},
        "joined_at": {"type": "datetime", "ui": {"label": "Member since", "hidden": True}},
        "address": {"type": "object"},
    }
}


@pytest.fixture
def registry() -> XRegistry:
    made = XRegistry()
    made.register(build_model(SCHEMA, "users"))
    return made


def test_models_are_found_by_path_and_by_class_name(registry: XRegistry) -> None:
    class Plane(XObjPrototype):
        tailnum: str

    registry.register(Plane, namespace="ns.models.fleet.Plane")
    assert registry.list() == ["ns.models.User", "ns.models.fleet.Plane"]
    assert registry.list("ns.models.fleet.*") == ["ns.models.fleet.Plane"]
    assert registry.get("ns.models.fleet.Plane") is Plane
    assert registry.get("User").__name__ == "User"
    assert "User" in registry and "Pilot" not in registry and len(registry) == 2


def test_an_unknown_name_is_told_what_there_is(registry: XRegistry) -> None:
    with pytest.raises(XRepoNotFoundError, match="there are: ns.models.User"):
        registry.get("Usr")
    with pytest.raises(XRepoNotFoundError, match="did you mean 'role'"):
        registry.hint("User", "rôle")
    with pytest.raises(XRepoConfigurationError, match="did you mean 'label'"):
        registry.set_hint("User", "role", labell="x")
    with pytest.raises(XRepoConfigurationError, match="only model classes"):
        registry.register("User")  # type: ignore[type-var]


def test_registering_again_replaces_and_unregistering_forgets(registry: XRegistry) -> None:
    again = registry.register(build_model(SCHEMA, "users"))
    assert registry.get("User") is again
    registry.unregister("User")
    assert registry.list() == []


def test_hints_follow_from_the_schema() -> None:
    hints = derived_hints(Schema.of(SCHEMA))
    assert [(h.label, h.widget) for h in hints.values()] == [
        ("Id", "number"), ("Full name", "text"), ("Role", "select"), ("Member since", "datetime"),
        ("Address", "group"),
    ]  # fmt: skip
    assert hints["fullName"].description == "as on the passport"
    assert hints["joined_at"].hidden


def test_hints_are_overridden_and_ordered(registry: XRegistry) -> None:
    registry.set_hint("User", "address", order=-1, label="Home")
    assert next(iter(registry.hints("User").items()))[1].label == "Home"
    registry.register(
        registry.get("User"), hints={"role": {"widget": "text"}}, permissions={"admin": ["delete"]}
    )
    assert registry.hint("User", "role").widget == "text"
    assert registry.entry("User").permissions == {"admin": ["delete"]}


def test_there_is_one_for_all() -> None:
    assert isinstance(model_registry, XRegistry)
