"""The public names, pinned: adding or removing one is a decision. They stand here once more on purpose, as a
name that goes from the package by mistake would go from a list of its own too."""

from __future__ import annotations

import pytest

import xrepo_nb as xr

NAMES = {
    "MISSING", "ACLManager", "ACLRule", "AuditEntry", "AuditLog", "AuditLogger", "BulkCount", "BulkRows",
    "CacheManager", "Capabilities", "ConnectedRepo", "DataType", "DatabaseResource", "Event", "Events", "F",
    "Field", "Identity", "InferenceReport", "JoinReport", "MaterializedRepo", "Permission",
    "RepoCreationStrategy", "RepoMetadata", "RepoStats", "ResourceFactory", "Rows", "Schema",
    "StatsCollector", "Table", "ViewRepo", "XInspector", "XObjPrototype", "XRegistry", "XRepo",
    "XRepoConfigurationError", "XRepoConflictError", "XRepoConnectionError", "XRepoError", "XRepoFactory",
    "XRepoLimitError", "XRepoNotFoundError", "XRepoPermissionError", "XRepoQueryError", "XRepoTimeoutError",
    "XRepoUnsupportedError", "XRepoValidationError", "XResource", "XSettings", "__version__", "acting_as",
    "forget_identity", "join", "model_registry", "namespace", "open", "register_identity",
}  # fmt: skip


def test_public_names() -> None:
    assert set(xr.__all__) == NAMES
    assert set(xr._HOME_OF) == NAMES - {"__version__"}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_is_there(name: str) -> None:
    assert getattr(xr, name) is not None
    assert name in dir(xr)


def test_another_name_is_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        xr.nothing  # noqa: B018


def test_completion_offers_names_of_ours_alone() -> None:
    offered = {name for name in dir(xr) if not name.startswith("__")}
    assert offered >= {*NAMES, "viewers"} - {"__version__"}
    assert offered & {"Any", "TYPE_CHECKING", "annotations", "import_module", "ismodule"} == set()
