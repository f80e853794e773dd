"""RepoMetadata: how one repo is configured."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from xrepo_nb.core.errors import XRepoConfigurationError
from xrepo_nb.governance.rules import ACLRule, parsed_rules


class RepoMetadata(BaseModel):
    """The configuration of a repo.

    `constraints` are `{"check": filter}`, which every record written must match, and
    `{"unique": field or fields}`, whose values no two records share; each may have a `name`.
    `indexes` are lists of fields that stand in the schema beside the source's own indexes.
    `soft_delete` and `auto_timestamps` act on the fields `deleted_at`, `created_at` and
    `updated_at` where the collection has them. A collection without `deleted_at` cannot keep a
    deleted record, unless the repo owns its data (see `docs/repos.md`).

    An option that there is not raises `XRepoConfigurationError`, a value that is none of its option's
    Pydantic's `ValidationError`.

    >>> RepoMetadata(name="users").cache_ttl
    300
    """

    name: str
    description: str | None = None
    resource_name: str = "memory"
    model_name: str = "dict"
    indexes: list[list[str]] = Field(default_factory=list)
    constraints: list[dict[str, Any]] = Field(default_factory=list)
    enable_audit: bool = True
    enable_statistics: bool = True
    cache_enabled: bool = False
    cache_ttl: int = Field(300, gt=0, description="seconds")
    acl_rules: list[ACLRule] = Field(default_factory=list)
    soft_delete: bool = True
    auto_timestamps: bool = True

    def __init__(self, **given: Any) -> None:
        known = type(self).model_fields
        unknown = next((option for option in given if option not in known), None)
        if unknown is not None and self.model_config.get("extra") is None:
            raise XRepoConfigurationError(
                f"a repo has no option {unknown!r}", asked=unknown, exists=tuple(known)
            )
        if isinstance(given.get("acl_rules"), list | tuple):
            given["acl_rules"] = parsed_rules(given["acl_rules"])
        super().__init__(**given)
