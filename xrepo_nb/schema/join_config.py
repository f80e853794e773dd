"""How sources are joined: what a caller writes becomes one configuration for each further source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xrepo_nb.core.errors import XRepoConfigurationError

HOW = ("left", "inner", "right", "outer", "semi", "anti", "asof")
VALIDATE = ("one_to_one", "one_to_many", "many_to_one", "many_to_many")

Pairs = tuple[tuple[str, str], ...]
Steps = Mapping[str, "JoinConfig"]
"""How each source but the first is joined to what came before it, in their order."""

_OPTIONS = ("on", "type", "how", "validate", "left_on", "right_on")
_SHORT = {"1:1": "one_to_one", "1:m": "one_to_many", "m:1": "many_to_one", "m:m": "many_to_many"}
_SPELLINGS = 'on="user_id", on=[("user_id", "id")], or keys by source: on={"orders": "user_id"}'


@dataclass(frozen=True, slots=True)
class JoinConfig:
    """What joins a source to those before it: pairs of key fields, left and right, how, and what to
    insist on."""

    on: Pairs
    how: str = "left"
    validate: str = "many_to_many"

    @classmethod
    def of(cls, given: Mapping[str, Any] | JoinConfig) -> JoinConfig:
        """The configuration in the specification's form: `{"on": "user_id", "type": "left_join"}`.

        `on`: a name, a list of names, or `(left, right)` pairs; `left_on` and `right_on` likewise.

        >>> JoinConfig.of({"on": [("user_id", "id")], "type": "left_join"})
        JoinConfig(on=(('user_id', 'id'),), how='left', validate='many_to_many')
        """
        if isinstance(given, JoinConfig):
            return given
        _must_know(given)
        how = _how(given.get("type", given.get("how", "left")))
        return cls(_pairs(given), how, _validate(given.get("validate")))

    @property
    def selects(self) -> bool:
        """Whether it keeps or drops rows, and takes no field from the source."""
        return self.how in ("semi", "anti")


def join_steps(sources: Iterable[str], given: Mapping[str, Any] | JoinConfig) -> dict[str, JoinConfig]:
    """How each source but the first is joined to what came before it.

    Each option is one for all, or a mapping from a source's name, or its last part, to its own. A
    mapping in `on` that names no source pairs left with right fields. Raises
    `XRepoConfigurationError` for a source that is not joined, or has no keys.

    >>> keys = {"airlines": "carrier", "planes": "tailnum"}
    >>> join_steps(["flights", "airlines", "planes"], {"on": keys})["planes"]
    JoinConfig(on=(('tailnum', 'tailnum'),), how='left', validate='many_to_many')
    """
    names = list(sources)
    if len(names) < 2:
        raise XRepoConfigurationError("a join needs two sources or more", asked=", ".join(names))
    if isinstance(given, JoinConfig):
        return dict.fromkeys(names[1:], given)
    _must_know(given)
    options = {option: _by_source(option, value, names) for option, value in given.items()}
    return {
        source: JoinConfig.of({name: each[source] for name, each in options.items() if source in each})
        for source in names[1:]
    }


def _by_source(option: str, given: Any, sources: Sequence[str]) -> Mapping[str, Any]:
    """The option for each of the sources that it is given for."""
    joined = sources[1:]
    if not isinstance(given, Mapping):
        return dict.fromkeys(joined, given)
    known = {source.rpartition(".")[2]: source for source in sources} | {name: name for name in sources}
    if option == "on" and not any(name in known for name in given):
        return dict.fromkeys(joined, given)
    found: dict[str, Any] = {}
    for name, value in given.items():
        source = known.get(name)
        if source is None or source not in joined or source in found:
            raise _misnamed(option, name, source, sources)
        found[source] = value
    lacking = next((source for source in joined if source not in found), None)
    if option == "on" and lacking is not None:
        raise XRepoConfigurationError(
            f"the join has no keys for the source {lacking!r}",
            asked=lacking,
            hint=f"on={{..., {lacking!r}: ...}} names them",
        )
    return found


def _misnamed(option: str, name: Any, source: str | None, sources: Sequence[str]) -> XRepoConfigurationError:
    if source is None:
        text, hint = f"{option} names {name!r}, which is no source of this join", None
    elif source == sources[0]:
        text = f"{option} names {source!r}, which is the first source"
        hint = "say for each other one how it is joined to those before it"
    else:
        text, hint = f"{option} names the source {source!r} twice", None
    return XRepoConfigurationError(text, asked=name, exists=sources[1:], hint=hint)


def _must_know(given: Mapping[str, Any]) -> None:
    unknown = next((key for key in given if key not in _OPTIONS), None)
    if unknown is not None:
        raise XRepoConfigurationError(
            f"a join has no option {unknown!r}", asked=unknown, exists=sorted(_OPTIONS)
        )


def _pairs(given: Mapping[str, Any]) -> Pairs:
    if "left_on" in given or "right_on" in given:
        return _unique(_sides(given))
    on = given.get("on", "id")
    listed = list(on.items()) if isinstance(on, Mapping) else _listed(on)
    pairs = [_pair(each) for each in listed]
    if not pairs or None in pairs:
        raise XRepoConfigurationError(
            "a join's `on` is a name, a list of names, or (left, right) pairs", asked="on", hint=_SPELLINGS
        )
    return _unique(pair for pair in pairs if pair is not None)


def _sides(given: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    if given.get("on") is not None:
        raise XRepoConfigurationError(
            "keys are given twice, by on and by left_on or right_on", asked="on", hint="leave one out"
        )
    left, right = (_listed(given.get(side)) for side in ("left_on", "right_on"))
    if not left or len(left) != len(right) or not all(isinstance(name, str) for name in (*left, *right)):
        raise XRepoConfigurationError("left_on and right_on must name as many fields each", asked="left_on")
    return zip(left, right, strict=True)


def _listed(given: Any) -> list[Any]:
    if isinstance(given, str):
        return [given]
    return list(given) if isinstance(given, Sequence) else []


def _pair(given: Any) -> tuple[str, str] | None:
    left, right = (given, given) if isinstance(given, str) else (None, None)
    if isinstance(given, Sequence) and not isinstance(given, str) and len(given) == 2:
        left, right = given
    return (left, right) if isinstance(left, str) and isinstance(right, str) else None


def _unique(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """The pairs, each once. A field that two pairs name would need two names in the result."""
    found = tuple(dict.fromkeys(pairs))
    for side in zip(*found, strict=True):
        twice = next((name for name in side if side.count(name) > 1), None)
        if twice is not None:
            raise XRepoConfigurationError(
                f"two pairs of join keys name the same field {twice!r}",
                asked=twice,
                hint="join on one of them, and compare the other in a filter on the view",
            )
    return found


def _how(given: Any) -> str:
    how = str(given).removesuffix("_join").removesuffix("_outer")
    how = "outer" if how in ("full", "full_outer") else how
    if how not in HOW:
        hint = None if isinstance(given, str) else 'one for all, or by source: how={"orders": "inner"}'
        raise XRepoConfigurationError(f"unknown kind of join {given!r}", asked=given, exists=HOW, hint=hint)
    return how


def _validate(given: Any) -> str:
    validate = _SHORT.get(given or "m:m", given or "") if isinstance(given, str | None) else ""
    if validate not in VALIDATE:
        raise XRepoConfigurationError(f"unknown cardinality {given!r}", asked=given, exists=VALIDATE)
    return validate
