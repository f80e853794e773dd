"""The schema of a join."""

from typing import Any

import pytest

from xrepo_nb.core.errors import XRepoConfigurationError
from xrepo_nb.schema.join_config import JoinConfig
from xrepo_nb.schema.merge import merge_schemas

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


STAR: dict[str, Any] = {
    "flights": {"fields": {"carrier": {"type": "string", "required": True}, "tail": {"type": "string"}}},
    "airlines": {"fields": {"carrier": {"type": "string", "required": True}, "name": {"type": "string"}}},
    "planes": {"fields": {"tailnum": {"type": "string"}, "seats": {"type": "int", "required": True}}},
}
STAR_ON = {"airlines": "carrier", "planes": [("tail", "tailnum")]}


def test_each_source_may_have_keys_of_its_own() -> None:
    merged = merge_schemas(STAR, {"on": STAR_ON})
    assert merged.names == ("carrier", "tail", "airlines_name", "planes_seats")
    assert merged["fields"]["carrier"]["lineage"] == ["flights.carrier", "airlines.carrier"]
    assert merged["fields"]["tail"]["lineage"] == ["flights.tail", "planes.tailnum"]
    assert merged["join_config"] == {
        "on": {"airlines": [["carrier", "carrier"]], "planes": [["tail", "tailnum"]]},
        "type": "left",
    }


@pytest.mark.parametrize(
    "on",
    [
        {"airlines": ["carrier"], "planes": {"tail": "tailnum"}},
        {"planes": (("tail", "tailnum"),), "airlines": "carrier"},
        {"db.airlines": "carrier", "planes": [["tail", "tailnum"]]},
    ],
)
def test_keys_by_source_in_every_spelling(on: dict[str, Any]) -> None:
    schemas = {"flights": STAR["flights"], "db.airlines": STAR["airlines"], "planes": STAR["planes"]}
    sides = {
        "left_on": {"airlines": "carrier", "planes": "tail"},
        "right_on": {"airlines": "carrier", "planes": "tailnum"},
    }
    assert merge_schemas(schemas, {"on": on}) == merge_schemas(schemas, sides)


def test_a_source_is_joined_by_a_field_of_one_before_it() -> None:
    hubs = {"fields": {"airline": {"type": "string"}, "hub": {"type": "string"}}}
    on = {"airlines": "carrier", "hubs": [("airlines_name", "airline")]}
    merged = merge_schemas({**STAR, "hubs": hubs}, {"on": on | {"planes": [("tail", "tailnum")]}})
    assert merged.names == ("carrier", "tail", "airlines_name", "planes_seats", "hubs_hub")
    assert merged["fields"]["airlines_name"]["lineage"] == ["airlines.name", "hubs.airline"]


@pytest.mark.parametrize(
    ("how", "required"),
    [
        ({"airlines": "inner", "planes": "inner"}, {"carrier", "planes_seats"}),
        ({"planes": "inner"}, {"carrier", "planes_seats"}),
        ({"airlines": "right", "planes": "left"}, set()),
        ({"airlines": "inner", "planes": "right"}, {"planes_seats"}),
        ({"airlines": "semi", "planes": "left"}, {"carrier"}),
        ("right", {"planes_seats"}),
    ],
)
def test_what_kinds_of_join_by_source_may_leave_empty(how: Any, required: set[str]) -> None:
    fields = merge_schemas(STAR, {"on": STAR_ON, "how": how})["fields"]
    assert {name for name, field in fields.items() if field["required"]} == required
    assert ("airlines_name" in fields) == ("semi" not in str(how))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"on": {"airlines": "carrier", "plane": "tail"}}, "on names 'plane', which is no.*mean 'planes'"),
        ({"on": {"airlines": "carrier"}}, "no keys for the source 'planes'"),
        ({"on": STAR_ON | {"flights": "carrier"}}, "on names 'flights', which is the first source"),
        ({"on": "carrier", "how": {"airline": "left"}}, "how names 'airline', which is no source"),
        ({"on": STAR_ON | {"airlines": "carier"}}, "left side of the join, flights, has.*mean 'carrier'"),
        ({"on": STAR_ON | {"airlines": [("carrier", "code")]}}, "right side of the join, airlines, has no"),
        ({"on": STAR_ON | {"planes": "seats"}}, r"flights \+ airlines, has no field 'seats'.*write pairs"),
        ({"on": STAR_ON | {"planes": ("tail", "tailnum")}}, r"write pairs: \[\('tail', 'tailnum'\)\]"),
        ({"on": STAR_ON | {"planes": [("name", "tailnum")]}}, "in the view airlines.name is 'airlines_name'"),
        ({"on": STAR_ON | {"airlines": [("planes_seats", "name")]}}, "'planes' is joined later"),
        ({"on": STAR_ON | {"planes": [("tail", "seats")]}}, "flights.tail is string, planes.seats is int"),
        ({"on": {"airlins": "carrier", "plnes": "tail"}}, "did you mean the source 'airlines'"),
        ({"on": "carrier"}, "planes, has no field 'carrier'.*keys of its own: on="),
        ({"on": [("carrier", "carrier"), ("tail", "carrier")]}, "two pairs of join keys name.*'carrier'"),
        ({"on": STAR_ON, "how": ["left", "inner"]}, "unknown kind of join.*or by source: how="),
        ({"on": STAR_ON, "left_on": "carrier", "right_on": "carrier"}, "keys are given twice"),
        ({"on": 3}, "a join's `on` is.*or keys by source"),
        ({"on": [3]}, "a join's `on` is"),
        ({"on": [("a", "b", "c")]}, "a join's `on` is"),
        ({"left_on": [1], "right_on": [2]}, "as many fields"),
        ({"on": STAR_ON, "validate": {"planes": "1:2"}}, "unknown cardinality"),
    ],
)
def test_wrong_keys_by_source_are_explained(config: dict[str, Any], message: str) -> None:
    with pytest.raises(XRepoConfigurationError, match=message):
        merge_schemas(STAR, config)


def test_a_source_that_is_misspelt_is_nearer_than_a_field_of_another_kind() -> None:
    flights = {"fields": STAR["flights"]["fields"] | {"air_time": {"type": "int"}}}
    with pytest.raises(XRepoConfigurationError, match="has no field 'airline'.*mean the source 'airlines'"):
        merge_schemas({"flights": flights, "airlines": STAR["airlines"]}, {"on": {"airline": "carrier"}})


def test_a_source_named_twice_is_refused() -> None:
    schemas = {"flights": STAR["flights"], "db.airlines": STAR["airlines"]}
    with pytest.raises(XRepoConfigurationError, match=r"on names the source 'db\.airlines' twice"):
        merge_schemas(schemas, {"on": {"airlines": "carrier", "db.airlines": "carrier"}})


def test_two_fields_of_one_name_are_refused() -> None:
    flights = {"fields": {"airlines_name": {"type": "string"}}}
    with pytest.raises(XRepoConfigurationError, match="called 'airlines_name': flights.* and airlines.name"):
        merge_schemas(
            {"flights": flights, "airlines": STAR["airlines"]}, {"on": [("airlines_name", "carrier")]}
        )


def test_a_mapping_that_names_no_source_pairs_fields() -> None:
    schemas = {"flights": STAR["flights"], "planes": STAR["planes"]}
    assert merge_schemas(schemas, {"on": {"tail": "tailnum"}}).names == (
        "flights_carrier",
        "tail",
        "planes_seats",
    )
