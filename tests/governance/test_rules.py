"""Rules as users write them: conditions, the caller's attributes, and what is refused."""

from typing import Any

import pytest

from xrepo_nb.core.errors import XRepoConfigurationError
from xrepo_nb.governance.acl import ACLManager
from xrepo_nb.governance.identity import (
    ANONYMOUS,
    Identity,
    acting_as,
    forget_identity,
    register_identity,
    resolve,
)
from xrepo_nb.governance.rules import ACLRule, MissingAttribute, parsed_rules, substitute
from xrepo_nb.repos.metadata import RepoMetadata


def test_fields_may_be_a_list_or_allow_and_deny():
    rule = ACLRule(role="r", permissions=["read"], conditions={"fields": ["a", "b"]})
    assert rule.narrowing.allow == ("a", "b")
    rule = ACLRule(role="r", permissions=["read"], conditions={"fields": {"deny": ["c"]}})
    assert (rule.narrowing.allow, rule.narrowing.deny) == (None, ("c",))


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"conditions": {"row": {}}}, "conditions of the rule of role 'r' has no key 'row'; .*mean 'rows'"),
    (
        {"conditions": {"fields": {"hide": ["a"]}}},
        "conditions.fields of .* no key 'hide'; there are: allow",
    ),
    ({"conditions": {"fields": {"denny": ["a"]}}}, "did you mean 'deny'"),
    ({"conditions": {"rows": "a > 1"}}, "conditions.rows of the rule of role 'r' takes a filter.*not str"),
    ({"conditions": {"check": [1]}}, "conditions.check .* takes a filter.*not list"),
    (
        {"conditions": {"fields": "age"}},
        r"conditions.fields .* a list of names, not str. Hint: write \[...\]",
    ),
    ({"conditions": {"fields": {"deny": "age"}}}, "conditions.fields.deny .* a list of names, not str"),
    ({"conditions": {"fields": [1]}}, "conditions.fields .* takes names only, not int"),
    ({"conditions": {"fields": [""]}}, "conditions.fields .* takes names only, not an empty text"),
    ({"conditions": {"masks": ["age"]}}, "conditions.masks .* takes a dict .*not list"),
    ({"conditions": {"masks": {1: 2}}}, "conditions.masks .* takes names only, not int"),
    ({"conditions": []}, "conditions .* takes a dict with some of rows, check, fields, masks, not list"),
    ({"condition": {"rows": {}}}, "no key 'condition'; .*mean 'conditions'"),
    ({"kind": "restrict"}, "kind .* cannot be 'restrict'.*mean 'restrictive'"),
    ({"permissions": "read"}, "permissions .* takes a list of names, not str"),
    ({"permissions": ["reed"]}, "permissions .* cannot be 'reed'; .*mean 'read'"),
    ({"permissions": [1]}, "permissions .* takes names only, not int"),
    ({"role": 1}, "role of an access rule takes the name of a role, not int"),
]


@pytest.mark.parametrize(("wrong", "told"), MALFORMED)
def test_a_malformed_rule_tells_which_key_what_it_was_given_and_what_it_takes(
    wrong: dict[str, Any], told: str
) -> None:
    given = {"role": "r", "permissions": ["read"]} | wrong
    for attempt in (
        lambda: ACLRule(**given),
        lambda: RepoMetadata(name="people", acl_rules=[given]),
        lambda: parsed_rules([{"role": "a", "permissions": []}, given]),
    ):
        with pytest.raises(XRepoConfigurationError, match=told) as caught:
            attempt()
        assert "pydantic" not in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).startswith("rule 1: ")


def test_a_rule_with_a_wrong_operator_is_refused_when_it_is_given_not_when_it_is_met():
    rule = ACLRule(role="r", permissions=["read"], conditions={"rows": {"age": {"$gtt": 1}}})
    with pytest.raises(XRepoConfigurationError, match="gtt"):
        ACLManager(None, [rule])


def test_the_callers_attributes_take_their_place_literally():
    ann = Identity("ann", {"eu"}, {"regions": ["EU", "UK"], "limit": 3})
    given = {
        "owner": "$$user.id",
        "region": {"$in": "$$user.regions"},
        "$expr": {"$lt": ["$n", "$$user.limit"]},
    }
    assert substitute(given, ann) == {
        "owner": "ann",
        "region": {"$in": ["EU", "UK"]},
        "$expr": {"$lt": ["$n", {"$literal": 3}]},
    }


@pytest.mark.parametrize(
    "attributes", [{}, {"region": None}, {"region": {"$ne": 1}}, {"region": [{"$ne": 1}]}]
)
def test_an_attribute_that_is_missing_or_no_scalar_fails_closed(attributes):
    with pytest.raises(MissingAttribute):
        substitute({"region": "$$user.region"}, Identity("ann", (), attributes))


def test_an_anonymous_caller_has_no_id_to_compare_with():
    with pytest.raises(MissingAttribute):
        substitute({"owner": "$$user.id"}, ANONYMOUS)


def test_a_malformed_variable_is_refused():
    with pytest.raises(XRepoConfigurationError, match="names no attribute"):
        substitute({"a": "$$username"}, Identity("ann"))


def test_a_user_id_is_looked_up_and_whoever_acts_is_the_default():
    register_identity(Identity("ann", {"analyst"}))
    try:
        assert resolve("ann").roles == {"analyst"}
        assert resolve("unknown").roles == frozenset()
        assert resolve(None) is ANONYMOUS
        with acting_as("ann"):
            assert resolve(None).user_id == "ann"
        assert resolve(None) is ANONYMOUS
    finally:
        forget_identity("ann")
    assert resolve("ann").roles == frozenset()


def test_an_identity_without_id_cannot_be_registered():
    with pytest.raises(XRepoConfigurationError):
        register_identity(Identity(roles={"admin"}))


def test_identities_that_a_rule_could_tell_apart_have_different_keys():
    keys = {
        Identity("ann").key,
        Identity("ann", {"a"}).key,
        Identity("ann", {"a"}, {"n": 1}).key,
        Identity("ann", {"a"}, {"n": "1"}).key,
        Identity("ann", {"a"}, {"n": True}).key,
    }
    assert len(keys) == 5


def test_a_malformed_rule_names_what_there_is() -> None:
    with pytest.raises(XRepoConfigurationError, match="did you mean 'read'"):
        parsed_rules([{"role": "eu", "permissions": ["reed"]}])
    with pytest.raises(XRepoConfigurationError, match="role"):
        parsed_rules([{"permissions": ["read"]}])
