"""Strategies: which inputs make which repo."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from xrepo_nb.core.errors import XRepoConfigurationError, an
from xrepo_nb.repos.base import XRepo

if TYPE_CHECKING:
    from xrepo_nb.repos.factory import XRepoFactory


class RepoCreationStrategy(ABC):
    """One way to make a repo from what `XRepoFactory.create` is given."""

    @abstractmethod
    def can_handle(self, **inputs: Any) -> bool:
        """Whether these inputs are for this strategy."""

    @abstractmethod
    async def create_repo(self, **inputs: Any) -> XRepo[Any]:
        """The repo from the inputs."""

    @property
    @abstractmethod
    def priority(self) -> int:
        """Higher ones are asked first; the built-in ones have 10, 20 and 30."""


class StrategyRegistry:
    """Strategies in the order in which they are asked: by priority, the later one first among equals."""

    def __init__(self, *strategies: RepoCreationStrategy) -> None:
        self._strategies: list[RepoCreationStrategy] = []
        for strategy in strategies:
            self.add(strategy)

    def add(self, strategy: RepoCreationStrategy) -> None:
        """Adds a strategy; raises `XRepoConfigurationError` for what is none."""
        if not isinstance(strategy, RepoCreationStrategy):
            raise XRepoConfigurationError(
                f"{an(type(strategy).__name__)} is no RepoCreationStrategy",
                asked=type(strategy).__name__,
                hint="derive from RepoCreationStrategy, and register an instance of it",
            )
        self._strategies.insert(0, strategy)
        self._strategies.sort(key=lambda s: s.priority, reverse=True)

    def remove(self, strategy: RepoCreationStrategy) -> None:
        """Takes a strategy back; harmless when it is not there."""
        if strategy in self._strategies:
            self._strategies.remove(strategy)

    def find(self, inputs: Mapping[str, Any]) -> RepoCreationStrategy:
        """The first strategy that takes the inputs; raises `XRepoConfigurationError` when none does."""
        for strategy in self._strategies:
            if strategy.can_handle(**inputs):
                return strategy
        given = [name for name, value in inputs.items() if value is not None]
        raise XRepoConfigurationError(
            f"no strategy makes a repo from {', '.join(given) or 'nothing'}",
            asked=", ".join(given),
            exists=["data", "resource", "sources"],
            hint="pass data=, resource= with schema=, or sources= with join_config=",
        )

    def __iter__(self) -> Iterator[RepoCreationStrategy]:
        return iter(tuple(self._strategies))


class SourcesStrategy(RepoCreationStrategy):
    """Several sources make a view: joined by `join_config`, else a union."""

    priority = 30

    def can_handle(self, **inputs: Any) -> bool:
        """Whether there are `sources`."""
        return bool(inputs.get("sources"))

    async def create_repo(self, **inputs: Any) -> XRepo[Any]:
        """The view over the sources."""
        return await _factory()._from_sources(**inputs)


class DataStrategy(RepoCreationStrategy):
    """Rows in hand make a MaterializedRepo."""

    priority = 20

    def can_handle(self, **inputs: Any) -> bool:
        """Whether there is `data`, be it empty."""
        return inputs.get("data") is not None

    async def create_repo(self, **inputs: Any) -> XRepo[Any]:
        """The repo over the rows."""
        return await _factory()._from_data(**inputs)


class ResourceStrategy(RepoCreationStrategy):
    """A resource makes a ConnectedRepo, or a MaterializedRepo of what it holds now."""

    priority = 10

    def can_handle(self, **inputs: Any) -> bool:
        """Whether there is a `resource`."""
        return inputs.get("resource") is not None

    async def create_repo(self, **inputs: Any) -> XRepo[Any]:
        """The repo over the resource."""
        return await _factory()._from_resource(**inputs)


def _factory() -> type[XRepoFactory]:
    from xrepo_nb.repos.factory import XRepoFactory

    return XRepoFactory
