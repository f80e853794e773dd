"""`$out` and `$merge`: pipelines that end in another repo, written under its rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xrepo_nb.core.errors import (
    XRepoConfigurationError,
    XRepoConflictError,
    XRepoNotFoundError,
    XRepoQueryError,
    an,
)
from xrepo_nb.governance.rules import Permission
from xrepo_nb.query.plan import Merge, Out, Plan
from xrepo_nb.repos import reading
from xrepo_nb.repos.execution import Answer
from xrepo_nb.repos.narrowing import policy_of
from xrepo_nb.repos.operation import Operation
from xrepo_nb.repos.shaping import documents_of
from xrepo_nb.repos.writing import changes, required_key
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo


async def answer(
    repo: XRepo[Any],
    plan: Plan,
    operation: Operation,
    *,
    engine: str = "auto",
    repos: Mapping[str, XRepo[Any]] | None = None,
) -> Answer:
    """As `reading.answer`; a plan that ends in `$out` or `$merge` writes, and gives no rows."""
    if not isinstance(plan, Out | Merge):
        return await reading.answer(repo, plan, operation, engine=engine, repos=repos)
    made = await reading.answer(repo, plan.input, operation, engine=engine, repos=repos)
    documents = await documents_of(made.table)
    target = await _target(repo, plan.target, repos)
    if isinstance(plan, Out):
        await _replace(target, plan.target, documents, operation)
    else:
        await _merge(target, plan, documents, operation)
    operation.details["written"] = len(documents)
    return Answer(Table(documents=[]), made.engine)


async def _target(repo: XRepo[Any], name: str, repos: Mapping[str, XRepo[Any]] | None) -> XRepo[Any] | None:
    if name == repo.metadata.name:
        return repo
    try:
        return await reading.repo_named(name, repos)
    except XRepoNotFoundError:
        return None


async def _replace(
    target: XRepo[Any] | None, name: str, documents: list[dict[str, Any]], operation: Operation
) -> None:
    from xrepo_nb.repos.materialized import MaterializedRepo

    if target is None:
        await _create(name, documents)
        return
    if not isinstance(target, MaterializedRepo):
        raise XRepoConfigurationError(
            f"$out replaces rows held in memory, and {name} is {an(type(target).__name__)}",
            asked=name,
            hint="use $merge",
        )
    user = operation.identity
    async with (
        Operation(target, "replace_all", Permission.DELETE, user) as removal,
        Operation(target, "bulk_create", Permission.CREATE, user) as creation,
    ):
        await target._replace_all(documents, removal, creation)
        creation.rows = len(documents)


async def _create(name: str, documents: list[dict[str, Any]]) -> None:
    from xrepo_nb.cache import namespace
    from xrepo_nb.repos.materialized import MaterializedRepo

    await namespace.register_ns(f"ns.repos.{name}", await MaterializedRepo.of(documents, name=name))


async def _merge(
    target: XRepo[Any] | None, plan: Merge, documents: list[dict[str, Any]], operation: Operation
) -> None:
    if target is None:
        if plan.when_not_matched == "insert":
            await _create(plan.target, documents)
        return
    for document in documents:
        await _merge_one(target, plan, document, operation)


async def _merge_one(target: XRepo[Any], plan: Merge, document: dict[str, Any], operation: Operation) -> None:
    from xrepo_nb.query.parsing import parse_equal

    user = operation.identity
    absent = [name for name in plan.on if document.get(name) is None]
    if absent:
        raise XRepoQueryError(f"a merged document has no {absent[0]!r}", at="$merge.on", asked=absent[0])
    key = parse_equal({name: document[name] for name in plan.on})
    found = await target.frame(key, limit=2, user_id=user)
    if found.height > 1:
        raise XRepoConflictError("several records match one merged document", hint="merge on unique fields")
    if not found.height:
        await _insert(target, plan, document, user)
        return
    row = (await documents_of(Table(frame=found, schema=target.schema.select(found.columns))))[0]
    change = _change(plan, row, document)
    if change is not None:
        record_id = tuple(row[name] for name in required_key(target, policy_of(target, user)))
        await target.update(record_id if len(record_id) > 1 else record_id[0], change, user)


async def _insert(target: XRepo[Any], plan: Merge, document: dict[str, Any], user: Any) -> None:
    if plan.when_not_matched == "fail":
        raise XRepoConflictError("a merged document matches no record", hint='set whenNotMatched to "insert"')
    if plan.when_not_matched == "insert":
        await target.create(document, user)


def _change(plan: Merge, row: dict[str, Any], document: dict[str, Any]) -> Any:
    """The update that the stage asks for, None for none."""
    if plan.when_matched == "merge":
        return {"$set": document}
    if plan.when_matched == "keepExisting":
        return None
    if plan.when_matched == "fail":
        raise XRepoConflictError("a merged document matches a record", hint='set whenMatched to "merge"')
    from xrepo_nb.repos.updates import piped

    new = document if plan.when_matched == "replace" else piped(plan, row, document)
    gone = {name: "" for name in row if name not in new}
    different = {name: value for name, value in changes(row, new).items() if name not in gone}
    asked = {"$set": different, "$unset": gone}
    return {name: fields for name, fields in asked.items() if fields} or None
