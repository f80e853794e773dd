"""Expressions: MongoDB's value expressions, compiled to closures."""

from xrepo_nb.engines.document.expressions.compile import compile_expression

__all__ = ["compile_expression"]
