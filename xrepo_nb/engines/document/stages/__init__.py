"""Stages: what a plan does to rows, compiled to functions of rows."""

from xrepo_nb.engines.document.stages.compile import Context, compile_plan

__all__ = ["Context", "compile_plan"]
