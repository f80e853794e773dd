"""The schema of a join."""

from typing import Any

import pytest

from xrepo_nb.core.errors import XRepoConfigurationError
from xrepo_nb.schema.merge import JoinConfig, merge_schemas

USERS: dict[str, Any] = {
    "fields": {"user_id": {"type": "int", "required": True}, "name": {"type": "string", "required": True}}
}
ORDERS: dict[str, Any] = {
    "fields": {"user_id": {"type": "int", "required": True}, "total": {"type": "float", "required": True}}
}
ON = {"on": "user_id", "type": "left_join"}


def test_keys_keep_their_name_and_other_fields_take_their_source_as_prefix() -> None:
    merged = merge_schemas({"mongo.users": USERS, "mongo.orders": ORDERS}, ON)
    assert merged.names == ("user_id", "users_name", "orders_total")
    assert merged["view_type"] == "joined"
    assert merged["fields"]["orders_total"]["source"] == "mongo.orders"
    assert merged["fields"]["user_id"]["lineage"] == ["mongo.users.user_id", "mongo.orders.user_id"]


@pytest.mark.parametrize(
    ("how", "required"),
    [
        ("left", (True, False)),
        ("inner", (True, True)),
        ("right", (False, True)),
        ("full_outer", (False, False)),
    ],
)
def test_what_a_kind_of_join_may_leave_empty(how: str, required: tuple[bool, bool]) -> None:
    merged = merge_schemas({"users": USERS, "orders": ORDERS}, {"on": "user_id", "type": how})
    fields = merged["fields"]
    assert (fields["users_name"]["required"], fields["orders_total"]["required"]) == required


def test_keys_of_different_names_become_the_left_one() -> None:
    people = {"fields": {"id": {"type": "int"}, "name": {"type": "string"}}}
    merged = merge_schemas({"orders": ORDERS, "people": people}, {"on": [("user_id", "id")]})
    assert merged.names == ("user_id", "orders_total", "people_name")


def test_semi_joins_have_the_left_fields_only() -> None:
    merged = merge_schemas({"users": USERS, "orders": ORDERS}, {"on": "user_id", "type": "semi"})
    assert merged.names == ("user_id", "users_name")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"on": "usr_id"}, "did you mean 'user_id'"),
        ({"on": "user_id", "type": "sideways"}, "unknown kind of join"),
        ({"on": "user_id", "kind": "left"}, "a join has no option 'kind'"),
        ({"on": []}, "a join's `on` is"),
        ({"left_on": "a", "right_on": ["a", "b"]}, "as many fields"),
        ({"on": "user_id", "validate": "1:2"}, "unknown cardinality"),
    ],
)
def test_a_wrong_configuration_is_explained(config: dict[str, Any], message: str) -> None:
    with pytest.raises(XRepoConfigurationError, match=message):
        merge_schemas({"users": USERS, "orders": ORDERS}, config)


def test_keys_of_different_types_are_refused() -> None:
    text = {"fields": {"user_id": {"type": "string"}}}
    with pytest.raises(XRepoConfigurationError, match=r"users\.user_id is int, orders\.user_id is string"):
        merge_schemas({"users": USERS, "orders": text}, ON)


def test_two_sources_need_different_last_names() -> None:
    with pytest.raises(XRepoConfigurationError, match="same last name part"):
        merge_schemas({"a.users": USERS, "b.users": USERS}, ON)


def test_one_source_is_no_join() -> None:
    with pytest.raises(XRepoConfigurationError, match="two sources or more"):
        merge_schemas({"users": USERS}, ON)


def test_pairs_in_every_spelling() -> None:
    wanted = (("a", "b"),)
    for given in ({"on": {"a": "b"}}, {"on": [("a", "b")]}, {"left_on": "a", "right_on": "b"}):
        assert JoinConfig.of(given).on == wanted
