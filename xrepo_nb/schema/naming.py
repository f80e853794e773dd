"""Names that Python takes, from names that sources use."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable

_IRREGULAR = {
    "people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse",
    "indices": "index", "matrices": "matrix", "vertices": "vertex", "analyses": "analysis",
    "statuses": "status", "buses": "bus", "movies": "movie", "cookies": "cookie", "aliases": "alias",
}  # fmt: skip
_UNCHANGED = ("series", "species", "news", "ss", "us", "is", "as")


def singular(word: str) -> str:
    """The singular of an English plural, by the common rules; other words as they are.

    >>> [singular(w) for w in ("users", "categories", "boxes", "addresses", "weather", "status")]
    ['user', 'category', 'box', 'address', 'weather', 'status']
    """
    low = word.lower()
    if low in _IRREGULAR:
        return word[0] + _IRREGULAR[low][1:]
    if low.endswith(_UNCHANGED) or len(low) < 4:
        return word
    if low.endswith("ies"):
        return word[:-3] + "y"
    if low.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return word[:-2]
    return word[:-1] if low.endswith("s") else word


def class_name(name: str) -> str:
    """The name of the class of one record of a collection.

    >>> class_name("users"), class_name("shop.order_items"), class_name("2024 sales")
    ('User', 'OrderItem', 'Model2024Sale')
    """
    words = re.findall(r"[^\W_]+", name.rpartition(".")[2])
    if not words:
        return "Model"
    words[-1] = singular(words[-1])
    made = "".join(word[0].upper() + word[1:] for word in words)
    return made if made.isidentifier() else "Model" + made


def attribute_names(names: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """The Python attribute for each of a source's names, all different and none of `taken`.

    >>> attribute_names(["_id", "class", "unit price", "id", "copy"], taken={"copy"})
    {'_id': 'id_', 'class': 'class_', 'unit price': 'unit_price', 'id': 'id', 'copy': 'copy_'}
    """
    made = {name: _attribute(name, taken) for name in names}
    used = {name for name, attribute in made.items() if name == attribute}
    for name, attribute in made.items():
        if name == attribute:
            continue
        while attribute in used:
            attribute += "_"
        made[name] = attribute
        used.add(attribute)
    return made


def _attribute(name: str, taken: Collection[str]) -> str:
    made = re.sub(r"\W", "_", name).lstrip("_")
    if made.startswith(("model_dump", "model_validate")):  # Pydantic guards these prefixes
        return f"field_{made}"
    if not made.isidentifier():
        made = f"field_{made}" if made else "field"
    return f"{made}_" if keyword.iskeyword(made) or made in taken else made
