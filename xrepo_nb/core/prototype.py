"""XObjPrototype: what every named object of xrepo_nb builds on."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class XObjPrototype(BaseModel):
    """A validated object with a place in the namespace and a text to be found by.

    Generated models, settings and repos derive from it. `fuzzy_fields` names the
    fields whose text makes an object searchable; None means every string field.

    >>> class User(XObjPrototype):
    ...     fuzzy_fields = ("name", "email")
    ...     name: str
    ...     email: str
    ...     role: str
    >>> User(name="John Doe", email="john@example.com", role="admin").get_fuzzy_text()
    'John Doe john@example.com'
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, populate_by_name=True)

    fuzzy_fields: ClassVar[tuple[str, ...] | None] = None

    def get_ns(self) -> str:
        """The namespace path of this object: `models.<class>` unless a subclass says otherwise."""
        return f"models.{type(self).__name__}"

    def get_fuzzy_text(self) -> str:
        """The searchable fields, joined by spaces, absent ones left out."""
        names = tuple(type(self).model_fields) if self.fuzzy_fields is None else self.fuzzy_fields
        values: list[Any] = [getattr(self, name) for name in names]
        if self.fuzzy_fields is None:
            values = [value for value in values if isinstance(value, str)]
        return " ".join(str(value) for value in values if value is not None)
