"""Lowerings of stages, one file a family; importing them registers them."""

from xrepo_nb.engines.polars.stages import combine, fields, groups, rows, unwind, windows

__all__ = ["combine", "fields", "groups", "rows", "unwind", "windows"]
