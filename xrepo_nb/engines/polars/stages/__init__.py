"""Lowerings of stages, one file a family; importing them registers them."""

from xrepo_nb.engines.polars.stages import fields, groups, rows, unwind

__all__ = ["fields", "groups", "rows", "unwind"]
