"""Point reads: one record by its id, without a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xrepo_nb.governance.policy import OPEN, Grant
from xrepo_nb.governance.rewrite import governed
from xrepo_nb.query.plan import Match, Scan
from xrepo_nb.query.predicates import EVERYTHING
from xrepo_nb.repos.by_id import one_of, the_only
from xrepo_nb.repos.deletion import DELETED_AT
from xrepo_nb.repos.documents import as_key
from xrepo_nb.repos.holding import holds
from xrepo_nb.repos.narrowing import current_schema
from xrepo_nb.repos.operation import Operation
from xrepo_nb.repos.reading import answer
from xrepo_nb.repos.shaping import documents_of, record_of
from xrepo_nb.repos.writing import required_key
from xrepo_nb.schema.table import Table

if TYPE_CHECKING:
    from xrepo_nb.repos.base import XRepo


async def read(repo: XRepo[Any], given: Any, operation: Operation) -> Any:
    """The record with that id as the operation's caller may see it, or None."""
    if repo._reads_by_plan and operation.policy is not OPEN:
        return await _asked(repo, given, operation)
    record_id = as_key(given, required_key(repo, operation.policy), repo._schema)
    current = (await repo._current([record_id], operation.identity))[0]
    if current is None:
        return None
    document, grant = current.document, operation.grant
    if repo.metadata.soft_delete and document.get(DELETED_AT) is not None:
        return None
    if not grant.is_open:
        if not holds(grant.rows, document):
            return None
        document = shown(document, grant)
    operation.rows = 1
    return record_of(document, operation.model, grant)


async def _asked(repo: XRepo[Any], given: Any, operation: Operation) -> Any:
    """As `read`, of rows whose types are those of the visible ones."""
    schema = await current_schema(repo, operation)
    key = required_key(repo, operation.policy)
    plan = Match(Scan(repo.metadata.name), one_of(key, [as_key(given, key, schema)]))
    document = the_only(repo, await documents_of((await answer(repo, plan, operation)).table))
    operation.rows = int(document is not None)
    return None if document is None else record_of(document, operation.model, operation.grant)


def shown(document: dict[str, Any], grant: Grant) -> dict[str, Any]:
    """What the grant leaves of a row that it reaches: masks applied, hidden fields gone."""
    if not grant.masks:
        return grant.fields.part_of(document)
    from xrepo_nb.engines.document import DocumentEngine

    plan = governed(Scan("row"), replace(grant, rows=EVERYTHING))
    return dict(DocumentEngine().collect(plan, {"row": Table(documents=[document])}).documents[0])
