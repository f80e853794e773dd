"""Short ways to ask the document engine, in MongoDB's own spelling."""

from __future__ import annotations

from typing import Any

from xrepo_nb.engines.document import DocumentEngine, compile_expression, compile_predicate
from xrepo_nb.query.parsing import parse_expression, parse_filter, parse_pipeline
from xrepo_nb.query.plan import Scan
from xrepo_nb.schema.table import Table

Row = dict[str, Any]


def value(expression: Any, document: Row | None = None, **variables: Any) -> Any:
    """The value of an expression for a document."""
    parsed = parse_expression(expression, variables=variables)
    return compile_expression(parsed)(document or {}, variables)


def matches(filter: Row, document: Row) -> bool:
    """Whether the filter selects the document."""
    return compile_predicate(parse_filter(filter))(document)


def rows(pipeline: list[Row], documents: list[Row], **others: list[Row]) -> list[Row]:
    """What a pipeline makes of documents; `others` are more collections by name."""
    tables = {name: Table(documents=found) for name, found in {"rows": documents, **others}.items()}
    return list(DocumentEngine().collect(parse_pipeline(pipeline, Scan("rows")), tables).documents)
