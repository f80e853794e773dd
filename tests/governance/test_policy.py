"""How rules combine, and what a rewritten scan shows. Every case runs on the document engine."""

import pytest

from xrepo_nb.core.errors import XRepoPermissionError
from xrepo_nb.engines.document import DocumentEngine, compile_predicate
from xrepo_nb.governance.acl import ACLManager
from xrepo_nb.governance.identity import Identity
from xrepo_nb.governance.policy import OPEN
from xrepo_nb.governance.rewrite import govern
from xrepo_nb.governance.rules import ACLRule, Permission
from xrepo_nb.query.parsing import parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.query.predicates import EVERYTHING
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.table import Table

ROWS = [
    {"_id": 1, "region": "EU", "owner": "ann", "salary": 10, "home": {"city": "Rome", "street": "Via"}},
    {"_id": 2, "region": "US", "owner": "bob", "salary": 20, "home": {"city": "Reno", "street": "Elm"}},
    {"_id": 3, "region": "EU", "owner": "bob", "salary": 30, "home": {"city": "Bonn", "street": "Weg"}},
]


def rule(role="r", permissions=("read", "list"), kind="permissive", **conditions):
    return ACLRule(role=role, permissions=list(permissions), conditions=conditions, kind=kind)


def shown(rules, identity=None, pipeline=(), permission=Permission.LIST):
    identity = identity or Identity("ann", {"r", "s"})
    policy = ACLManager(None, rules).policy(identity)
    plan = govern(parse_pipeline(list(pipeline), Scan("rows")), {"rows": policy}, permission)
    return list(DocumentEngine().collect(plan, {"rows": Table(documents=ROWS)}).documents)


def ids(rules, **options):
    return [row["_id"] for row in shown(rules, **options)]


def test_no_rules_allow_everything():
    assert ACLManager(None, []).policy(Identity()) is OPEN


def test_no_matching_rule_means_nothing():
    with pytest.raises(XRepoPermissionError, match="list is not allowed"):
        shown([rule("other")])
    with pytest.raises(XRepoPermissionError):
        shown([rule(permissions=["read"])])


def test_permissive_rules_add_up_and_restrictive_ones_narrow():
    eu, bob = rule(rows={"region": "EU"}), rule("s", rows={"owner": "bob"})
    assert ids([eu]) == [1, 3]
    assert ids([eu, bob]) == [1, 2, 3]
    assert ids([eu, bob, rule("*", kind="restrictive", rows={"salary": {"$lt": 25}})]) == [1, 2]


def test_masks_and_checks_of_restrictive_rules_hold():
    everything = rule(permissions=["list", "create"])
    narrow = rule(
        permissions=["list", "create"], kind="restrictive", masks={"owner": "***"}, check={"region": "EU"}
    )
    assert {row["owner"] for row in shown([everything, narrow])} == {"***"}
    assert {row["owner"] for row in shown([rule(masks={"owner": "?"}), narrow])} == {"***"}
    grant = ACLManager(None, [everything, narrow]).policy(Identity("ann", {"r"})).grant(Permission.CREATE)
    assert grant.check != EVERYTHING
    check = compile_predicate(grant.check)
    assert check({"region": "EU"}) and not check({"region": "US"})


def test_a_policy_that_is_made_again_is_the_same_while_rules_and_fields_are():
    class Repo:
        _schema = Schema.of({"fields": {"region": {"type": "string"}}})

    acl, ann = ACLManager(Repo(), [rule(rows={"region": "EU"})]), Identity("ann", {"r"})
    first = acl.policy(ann)
    Repo._schema = Schema.of({"fields": {"region": {"type": "string"}}})
    assert acl.policy(ann) is first
    acl._policies.clear()
    assert acl.policy(ann).version == first.version
    Repo._schema = Schema.of({"fields": {"region": {"type": "string"}, "a.b": {"type": "int"}}})
    acl._policies.clear()
    assert acl.policy(ann).version != first.version


def test_a_restrictive_rule_alone_allows_nothing():
    with pytest.raises(XRepoPermissionError):
        shown([rule(kind="restrictive")])


def test_rows_can_depend_on_the_caller_and_fail_closed_without_the_attribute():
    mine = rule("*", rows={"owner": "$$user.id"})
    assert ids([mine], identity=Identity("bob")) == [2, 3]
    with pytest.raises(XRepoPermissionError):
        ids([mine], identity=Identity())
    everything = rule("*")
    narrowed = rule("*", kind="restrictive", rows={"region": "$$user.region"})
    assert ids([everything, narrowed], identity=Identity("bob")) == []


def test_hidden_fields_are_not_there_for_any_stage():
    rules = [rule(fields={"deny": ["salary", "home.street"]})]
    assert shown(rules)[0] == {"_id": 1, "region": "EU", "owner": "ann", "home": {"city": "Rome"}}
    assert ids(rules, pipeline=[{"$match": {"salary": {"$gt": 5}}}]) == []
    total = shown(rules, pipeline=[{"$group": {"_id": None, "n": {"$sum": "$salary"}}}])
    assert total == [{"_id": None, "n": 0}]


def test_allowed_fields_are_all_there_is():
    assert shown([rule(fields=["region"])])[0] == {"region": "EU"}
    assert shown([rule(fields=["_id", "home.city", "home"])])[0] == {"_id": 1, "home": ROWS[0]["home"]}


def test_masks_replace_values_and_may_use_hidden_ones():
    rules = [
        rule(masks={"owner": "***", "region": {"$substrCP": ["$region", 0, 1]}}, fields={"deny": ["salary"]})
    ]
    assert [(r["owner"], r["region"]) for r in shown(rules)] == [("***", "E"), ("***", "U"), ("***", "E")]
    assert ids(rules, pipeline=[{"$match": {"owner": "ann"}}]) == []


def test_a_field_that_only_some_rows_may_show_is_hidden_in_all():
    wide = rule(fields=["_id", "region"])
    narrow = rule("s", rows={"owner": "bob"}, fields=["_id", "salary"])
    assert shown([wide, narrow])[1] == {"_id": 2, "region": "US"}
    assert all("salary" not in row for row in shown([wide, narrow]))


def test_a_role_that_reaches_every_row_adds_its_fields():
    staff = rule(fields={"deny": ["salary"]})
    hr = rule("s")
    assert shown([staff, hr])[0] == ROWS[0]
    assert shown([staff, hr], identity=Identity("x", {"r"}))[0].keys() == ROWS[0].keys() - {"salary"}


def test_a_role_that_sees_a_field_bare_lifts_the_mask():
    assert shown([rule(masks={"owner": "***"}), rule("s")])[0]["owner"] == "ann"


def test_lookups_read_the_target_through_its_own_rules_at_every_depth():
    hidden = ACLManager(None, [rule(rows={"region": "EU"}, fields={"deny": ["salary"]})])
    policies = {"rows": hidden.policy(Identity("ann", {"r"})), "start": OPEN}
    inner = {"$lookup": {"from": "rows", "pipeline": [{"$unionWith": "rows"}], "as": "found"}}
    plan = govern(parse_pipeline([inner], Scan("start")), policies)
    tables = {"rows": Table(documents=ROWS), "start": Table(documents=[{"_id": 0}])}
    found = next(iter(DocumentEngine().collect(plan, tables).documents))["found"]
    assert [row["_id"] for row in found] == [1, 3, 1, 3]
    assert all("salary" not in row for row in found)


def test_a_scan_without_a_policy_is_refused():
    with pytest.raises(XRepoPermissionError, match="no policy for 'rows'"):
        govern(Scan("rows"), {})


async def test_a_row_is_checked_before_it_is_left_behind():
    acl = ACLManager(
        None, [rule(permissions=["create"], rows={"region": "EU"}, check={"salary": {"$lt": 100}})]
    )
    ann = Identity("ann", {"r"})
    assert await acl.check_permission(Permission.CREATE, ann)
    assert await acl.check_permission(Permission.CREATE, ann, {"salary": 5})
    assert not await acl.check_permission(Permission.CREATE, ann, {"salary": 500})
    assert not await acl.check_permission(Permission.DELETE, ann)
    assert not await acl.check_permission(Permission.CREATE, "nobody", {"salary": 5})


def test_a_refusal_names_the_operation_the_caller_and_what_is_allowed():
    with pytest.raises(XRepoPermissionError, match="ann may not delete.*there are: list, read"):
        ACLManager(None, [rule()]).require(Permission.DELETE, Identity("ann", {"r"}))


def test_admin_includes_every_permission_and_is_not_implied_by_them():
    acl = ACLManager(None, [rule("admin", ["admin"]), rule("*", ["read", "list"])])
    assert acl.policy(Identity("root", {"admin"})).permissions == set(Permission)
    assert acl.policy(Identity("ann")).permissions == {Permission.READ, Permission.LIST}


def test_new_rules_act_on_the_next_call_and_change_the_version():
    acl, ann = ACLManager(None, [rule()]), Identity("ann", {"r"})
    before = acl.policy(ann).version
    acl.rules = [rule(rows={"region": "EU"})]
    assert acl.policy(ann).version != before


def test_the_visible_schema_has_no_hidden_field():
    schema = Schema.of(
        {
            "fields": {
                "_id": {"type": "int"},
                "salary": {"type": "int"},
                "home": {
                    "type": "object",
                    "fields": {"city": {"type": "string"}, "street": {"type": "string"}},
                },
            }
        }
    )
    policy = ACLManager(None, [rule(fields={"deny": ["salary", "home.street"]})]).policy(Identity("a", {"r"}))
    visible = policy.visible(schema)
    assert visible.names == ("_id", "home")
    assert [f.name for f in visible.fields[1].type.fields] == ["city"]
