"""The Python source of a model, for people to paste."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Strict


def model_source(model: type[BaseModel]) -> str:
    """Python source that defines the model and those nested in it, imports included.

    >>> from xrepo_nb.schema.models import build_model
    >>> print(model_source(build_model({"fields": {"_id": {"type": "int", "required": True}}}, "users")))
    from pydantic import Field, StrictInt
    from xrepo_nb import XObjPrototype
    <BLANKLINE>
    <BLANKLINE>
    class User(XObjPrototype, extra="forbid"):
        \"\"\"One record of users.\"\"\"
    <BLANKLINE>
        id: StrictInt = Field(alias="_id")
    <BLANKLINE>
    """
    writer = _Writer()
    writer.define(model)
    imports = [
        f"from {module} import {', '.join(sorted(names))}"
        for module, names in sorted(writer.imports.items(), key=_import_order)
    ]
    return "\n".join(imports) + "\n\n\n" + "\n\n\n".join(writer.classes) + "\n"


class _Writer:
    def __init__(self) -> None:
        self.imports: dict[str, set[str]] = {}
        self.classes: list[str] = []
        self.defined: set[type] = set()

    def need(self, module: str, name: str) -> str:
        self.imports.setdefault(module, set()).add(name)
        return name

    def define(self, model: type[BaseModel]) -> None:
        if model in self.defined:
            return
        self.defined.add(model)
        self.need("xrepo_nb", "XObjPrototype")
        extra = model.model_config.get("extra")
        settings = f", extra={_quoted(extra)}" if extra else ""
        lines = [f"class {model.__name__}(XObjPrototype{settings}):", f'    """{model.__doc__}"""', ""]
        searched: tuple[str, ...] | None = getattr(model, "fuzzy_fields", None)
        if searched is not None:
            lines.append(
                f"    fuzzy_fields = ({''.join(f'{_quoted(name)}, ' for name in searched).rstrip()})"
            )
        lines += [f"    {self.field(name, model)}" for name in model.model_fields]
        self.classes.append("\n".join(lines).rstrip())

    def field(self, name: str, model: type[BaseModel]) -> str:
        info = model.model_fields[name]
        shown = self.annotation(info.annotation, info.metadata)
        settings = [] if info.is_required() else [f"default={info.default!r}"]
        if info.alias:
            settings.append(f"alias={_quoted(info.alias)}")
        if info.description:
            settings.append(f"description={_quoted(info.description)}")
        if not settings:
            return f"{name}: {shown}"
        if len(settings) == 1 and settings[0].startswith("default="):
            return f"{name}: {shown} = {info.default!r}"
        return f"{name}: {shown} = {self.need('pydantic', 'Field')}({', '.join(settings)})"

    def annotation(self, of: Any, metadata: list[Any] | tuple[Any, ...] = ()) -> str:
        origin, arguments = get_origin(of), get_args(of)
        if origin is Annotated:
            return self.annotation(arguments[0], arguments[1:])
        if origin in (Union, UnionType):
            return " | ".join(self.annotation(argument) for argument in arguments)
        if origin is Literal:
            self.need("typing", "Literal")
            return f"Literal[{', '.join(map(_quoted, arguments))}]"
        if origin is not None:
            return f"{origin.__name__}[{', '.join(map(self.annotation, arguments))}]"
        if of is None or of is type(None):
            return "None"
        if any(isinstance(item, Strict) for item in metadata) and of in (int, float, bool):
            return self.need("pydantic", f"Strict{of.__name__.capitalize()}")
        return self.name(of)

    def name(self, of: Any) -> str:
        if of is Any:
            return self.need("typing", "Any")
        if of.__name__ == "ObjectId":
            self.need("xrepo_nb.schema.objectid", "object_id_type")
            return "object_id_type()"
        if issubclass(of, BaseModel):
            self.define(of)
            return str(of.__name__)
        if of.__module__ != "builtins":
            self.need(of.__module__, of.__name__)
        return str(of.__name__)


def _import_order(item: tuple[str, set[str]]) -> tuple[bool, bool, str]:
    module = item[0]
    return module.startswith("xrepo_nb"), module.startswith("pydantic"), module


def _quoted(value: Any) -> str:
    text = repr(value)
    return '"' + text[1:-1] + '"' if text[0] == "'" and '"' not in text else text
