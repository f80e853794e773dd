"""What the nulls of a value within an engine stand for: null, missing, or either of them row by row."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Generic, Self, TypeVar

from xrepo_nb.engines.typed.kinds import bracket
from xrepo_nb.schema.types import Absence, DataType

Node = TypeVar("Node")
"""What the engine's expressions are made of; a condition is one, or a bool where its answer is known."""

NO_LITERAL: Any = object()


class Absent(Generic[Node]):
    """The half of an engine's `Value` that does not ask what its expressions are made of.

    A null of the expression stands for what `absence` says; where that is "both", `missing` is a
    condition that holds for the missing ones. `literal` is the constant, if it is one.
    """

    __slots__ = ()

    type: DataType
    absence: Absence
    missing: Node | None
    literal: Any

    @property
    def kind(self) -> str:
        """The kind of its type."""
        return self.type.kind

    @property
    def bracket(self) -> str:
        """The kinds that its own compares with, by their name."""
        return bracket(self.type.kind)

    @property
    def is_constant(self) -> bool:
        """Whether it is one value for all rows, known while planning."""
        return self.literal is not NO_LITERAL

    @property
    def is_never_there(self) -> bool:
        """Whether it is missing in every row, like a field that no row has."""
        return self.type.kind == "null" and self.absence == "missing"

    @abstractmethod
    def is_absent(self) -> Node | bool:
        """Null or missing."""

    @abstractmethod
    def is_present(self) -> Node | bool:
        """Neither null nor missing."""

    def is_missing(self) -> Node | bool:
        """Missing, not null."""
        if self.absence == "both":
            assert self.missing is not None
            return self.missing
        return self.is_absent() if self.absence == "missing" else False

    def is_null(self) -> Node | bool:
        """Null, not missing."""
        if self.absence == "both":
            assert self.missing is not None
            return self._absent_but(self.missing)
        return self.is_absent() if self.absence == "null" else False

    def with_absence(self, null: Node | bool, missing: Node | bool) -> Self:
        """The same with what its nulls stand for given anew: a condition for each kind."""
        if missing is False:
            return self._where("never" if null is False else "null", None)
        return self._where("missing", None) if null is False else self._where("both", missing)

    def nullable(self) -> Self:
        """The same, where missing counts as null: what an array's element or a key makes of it."""
        return self if self.absence in ("never", "null") else self._where("null", None)

    @abstractmethod
    def _absent_but(self, missing: Node) -> Node | bool:
        """Absent where the condition does not hold."""

    @abstractmethod
    def _where(self, absence: Absence, missing: Node | bool | None) -> Self:
        """The same with another absence, and the condition of the missing ones."""
