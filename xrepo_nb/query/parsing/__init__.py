"""Parsing: filters, pipelines, expressions, projections, sorts and updates into nodes."""

from xrepo_nb.query.parsing.entry import (
    Filter,
    parse_equal,
    parse_expression,
    parse_filter,
    parse_pipeline,
    parse_projection,
    parse_sort,
    parse_update,
)
from xrepo_nb.query.parsing.views import SourceFilters, parse_view_filter, split_view_filters

__all__ = [
    "Filter",
    "SourceFilters",
    "parse_equal",
    "parse_expression",
    "parse_filter",
    "parse_pipeline",
    "parse_projection",
    "parse_sort",
    "parse_update",
    "parse_view_filter",
    "split_view_filters",
]
