"""The document engine: MongoDB's query language, exactly, over Python documents."""

from xrepo_nb.engines.document.engine import DocumentEngine
from xrepo_nb.engines.document.expressions import compile_expression
from xrepo_nb.engines.document.merging import merge_documents
from xrepo_nb.engines.document.predicates import compile_predicate
from xrepo_nb.engines.document.updates import UpdateResult, apply_update
from xrepo_nb.engines.document.variables import evaluate_let

__all__ = [
    "DocumentEngine",
    "UpdateResult",
    "apply_update",
    "compile_expression",
    "compile_predicate",
    "evaluate_let",
    "merge_documents",
]
