"""Unparsing: nodes back into MongoDB's documents.

Parsing what comes out gives equal nodes again.
"""

from xrepo_nb.query.unparsing.expressions import unparse_expression
from xrepo_nb.query.unparsing.predicates import unparse_predicate
from xrepo_nb.query.unparsing.stages import unparse, unparse_projection

__all__ = ["unparse", "unparse_expression", "unparse_predicate", "unparse_projection"]
