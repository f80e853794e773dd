"""xrepo_nb: one asynchronous repository API over every source a notebook touches.

>>> import asyncio
>>> import xrepo_nb as xr
>>> async def main():
...     people = await xr.open([{"name": "Ann", "age": 34}, {"name": "Bo", "age": 28}], name="people")
...     return await people.list({"age__gt": 30})
>>> asyncio.run(main())
[Person(name='Ann', age=34)]

Names are imported when first used, so that importing the package stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from inspect import ismodule
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xrepo_nb.cache import CacheManager, namespace
    from xrepo_nb.core.errors import (
        XRepoConfigurationError,
        XRepoConflictError,
        XRepoConnectionError,
        XRepoError,
        XRepoLimitError,
        XRepoNotFoundError,
        XRepoPermissionError,
        XRepoQueryError,
        XRepoTimeoutError,
        XRepoUnsupportedError,
        XRepoValidationError,
    )
    from xrepo_nb.core.missing import MISSING
    from xrepo_nb.core.prototype import XObjPrototype
    from xrepo_nb.core.settings import XSettings
    from xrepo_nb.governance.acl import ACLManager
    from xrepo_nb.governance.audit import AuditEntry, AuditLog, AuditLogger
    from xrepo_nb.governance.identity import Identity, acting_as, forget_identity, register_identity
    from xrepo_nb.governance.rules import ACLRule, Permission
    from xrepo_nb.observe.events import Event, Events
    from xrepo_nb.observe.stats import RepoStats, StatsCollector
    from xrepo_nb.query.builder import F
    from xrepo_nb.repos.base import XRepo
    from xrepo_nb.repos.connected import ConnectedRepo
    from xrepo_nb.repos.factory import XRepoFactory
    from xrepo_nb.repos.join import JoinReport
    from xrepo_nb.repos.materialized import MaterializedRepo
    from xrepo_nb.repos.metadata import RepoMetadata
    from xrepo_nb.repos.open import join, open
    from xrepo_nb.repos.rows import BulkCount, BulkRows, Rows
    from xrepo_nb.repos.strategies import RepoCreationStrategy
    from xrepo_nb.repos.view import ViewRepo
    from xrepo_nb.resources.base import Capabilities, XResource
    from xrepo_nb.resources.factory import DatabaseResource, ResourceFactory
    from xrepo_nb.resources.inspector import XInspector
    from xrepo_nb.schema.registry import XRegistry, model_registry
    from xrepo_nb.schema.report import InferenceReport
    from xrepo_nb.schema.schema import Schema
    from xrepo_nb.schema.table import Table
    from xrepo_nb.schema.types import DataType, Field

__version__ = "0.1.0"

_HOMES = {
    "cache": ("CacheManager", "namespace"),
    "core.errors": (
        "XRepoConfigurationError", "XRepoConflictError", "XRepoConnectionError", "XRepoError",
        "XRepoLimitError", "XRepoNotFoundError", "XRepoPermissionError", "XRepoQueryError",
        "XRepoTimeoutError", "XRepoUnsupportedError", "XRepoValidationError",
    ),
    "core.missing": ("MISSING",),
    "core.prototype": ("XObjPrototype",),
    "core.settings": ("XSettings",),
    "governance.acl": ("ACLManager",),
    "governance.audit": ("AuditEntry", "AuditLog", "AuditLogger"),
    "governance.identity": ("Identity", "acting_as", "forget_identity", "register_identity"),
    "governance.rules": ("ACLRule", "Permission"),
    "observe.events": ("Event", "Events"),
    "observe.stats": ("RepoStats", "StatsCollector"),
    "query.builder": ("F",),
    "repos.base": ("XRepo",),
    "repos.connected": ("ConnectedRepo",),
    "repos.factory": ("XRepoFactory",),
    "repos.join": ("JoinReport",),
    "repos.materialized": ("MaterializedRepo",),
    "repos.metadata": ("RepoMetadata",),
    "repos.open": ("join", "open"),
    "repos.rows": ("BulkCount", "BulkRows", "Rows"),
    "repos.strategies": ("RepoCreationStrategy",),
    "repos.view": ("ViewRepo",),
    "resources.base": ("Capabilities", "XResource"),
    "resources.factory": ("DatabaseResource", "ResourceFactory"),
    "resources.inspector": ("XInspector",),
    "schema.registry": ("XRegistry", "model_registry"),
    "schema.report": ("InferenceReport",),
    "schema.schema": ("Schema",),
    "schema.table": ("Table",),
    "schema.types": ("DataType", "Field"),
}  # fmt: skip

_HOME_OF = {name: f"xrepo_nb.{module}" for module, names in _HOMES.items() for name in names}

__all__ = [
    "MISSING", "ACLManager", "ACLRule", "AuditEntry", "AuditLog", "AuditLogger", "BulkCount", "BulkRows",
    "CacheManager", "Capabilities", "ConnectedRepo", "DataType", "DatabaseResource", "Event", "Events", "F",
    "Field", "Identity", "InferenceReport", "JoinReport", "MaterializedRepo", "Permission",
    "RepoCreationStrategy", "RepoMetadata", "RepoStats", "ResourceFactory", "Rows", "Schema",
    "StatsCollector", "Table", "ViewRepo", "XInspector", "XObjPrototype", "XRegistry", "XRepo",
    "XRepoConfigurationError", "XRepoConflictError", "XRepoConnectionError", "XRepoError", "XRepoFactory",
    "XRepoLimitError", "XRepoNotFoundError", "XRepoPermissionError", "XRepoQueryError", "XRepoTimeoutError",
    "XRepoUnsupportedError", "XRepoValidationError", "XResource", "XSettings", "__version__", "acting_as",
    "forget_identity", "join", "model_registry", "namespace", "open", "register_identity",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'xrepo_nb' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    own = (name for name, found in globals().items() if name.startswith("__") or ismodule(found))
    return sorted({*__all__, *own})


def _attach() -> None:
    """Lets the language know constant values, long work show progress, and IPython show our objects and
    errors; imports nothing heavy."""
    from xrepo_nb import viewers
    from xrepo_nb.engines import evaluation
    from xrepo_nb.notebook import awaiting, progress, tracebacks

    evaluation.install()
    progress.install()
    tracebacks.attach()
    awaiting.attach()
    viewers.attach()


_attach()
