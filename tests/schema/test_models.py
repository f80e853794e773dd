"""Models from schemas, schemas from models, models from frames."""

import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from uuid import UUID, uuid4

import polars as pl
import pytest
from pydantic import BaseModel, Field, ValidationError

from xrepo_nb.core.errors import XRepoValidationError
from xrepo_nb.core.prototype import XObjPrototype
from xrepo_nb.schema.inference import infer
from xrepo_nb.schema.models import build_model, model_source, schema_of_model
from xrepo_nb.schema.naming import attribute_names, class_name, singular
from xrepo_nb.schema.rows import to_models
from xrepo_nb.schema.schema import Schema
from xrepo_nb.schema.types import DataType
from xrepo_nb.schema.types import Field as SchemaField

EVERYTHING: list[dict[str, Any]] = [
    {
        "_id": 1, "name": "Ada", "score": 1.5, "ok": True, "price": Decimal("1.50"), "raw": b"x",
        "key": UUID(int=7),
        "at": datetime(2024, 1, 1, 12, 0, 0, 1, tzinfo=UTC), "day": date(2024, 1, 1), "clock": time(1, 2),
        "span": timedelta(seconds=3), "tags": ["a", None], "home": {"city": "London", "zip": {"code": "N1"}},
        "orders": [{"sku": "a", "n": 1}], "any": 1,
    },
    {
        "_id": 2, "name": None, "score": 2.0, "ok": False, "price": Decimal("2.00"), "raw": b"",
        "key": UUID(int=8),
        "at": datetime(1, 1, 1, tzinfo=UTC), "day": date(1, 1, 1), "clock": time(0), "span": timedelta(0),
        "tags": [], "home": {"city": "Paris", "zip": {"code": "75"}}, "orders": [], "any": "x",
    },
]  # fmt: skip


def model_of(documents: list[dict[str, Any]], name: str = "users") -> type[XObjPrototype]:
    return build_model(infer(documents).schema, name)


def test_a_model_takes_what_its_source_holds() -> None:
    User = model_of(EVERYTHING)
    for document in EVERYTHING:
        assert User.model_validate(document).model_dump(by_alias=True, exclude_unset=True) == document


def test_nested_objects_are_models_of_their_own() -> None:
    User = model_of(EVERYTHING)
    user: Any = User.model_validate(EVERYTHING[0])
    assert user.home.zip.code == "N1"
    assert [type(x).__name__ for x in (user, user.home, user.home.zip, user.orders[0])] == [
        "User", "UserHome", "UserHomeZip", "UserOrder",
    ]  # fmt: skip


def test_it_is_a_prototype_with_a_name_a_place_and_a_text() -> None:
    User = model_of([{"name": "Ada"}])
    assert issubclass(User, XObjPrototype)
    assert (User.__name__, User.__module__, User.__doc__) == ("User", "ns.models", "One record of users.")
    assert User(name="Ada").get_ns() == "models.User"  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": "abc"},
        {"n": "1"},
        {"n": True},
        {"n": 1.5},
        {"n": None},
        {},
        {"n": 1, "extra": 2},
        {"n": 1, "s": 2},
    ],
)
def test_validation_refuses_what_the_source_cannot_hold(wrong: dict[str, Any]) -> None:
    M = model_of([{"n": 1, "s": "a"}, {"n": 2}])
    with pytest.raises(ValidationError):
        M.model_validate(wrong)


def test_missing_fields_stay_unset() -> None:
    M = model_of([{"n": 1, "s": "a"}, {"n": 2}])
    assert M.model_validate({"n": 1}).model_fields_set == {"n"}


def test_a_sampled_source_may_hold_more_fields() -> None:
    schema = infer([{"n": 1}]).schema.replace(extra=(("sampled", 1),))
    assert build_model(schema, "rows").model_validate({"n": 1, "late": 2}).model_extra == {"late": 2}


def test_names_that_python_or_pydantic_reserve_are_aliases_and_both_are_taken() -> None:
    document = {
        "_id": 1,
        "class": 2,
        "unit price": 3,
        "copy": 4,
        "model_dump": 5,
        "schema": 6,
        "2nd": 7,
        "get_ns": 8,
    }
    M = model_of([document])
    made = M.model_validate(document)
    assert made.model_dump(by_alias=True) == document
    names = {"id", "class_", "unit_price", "copy_", "field_model_dump", "schema_", "field_2nd", "get_ns_"}
    assert set(M.model_fields) == names
    assert M.model_validate(made.model_dump()) == made


def test_enums_are_literals_only_when_asked() -> None:
    schema = Schema((SchemaField("role", DataType("string"), "never", enum=("admin", "user")),))
    with pytest.raises(ValidationError):
        build_model(schema, "users", enums=True).model_validate({"role": "root"})
    assert build_model(schema, "users").model_validate({"role": "root"})


def test_object_ids() -> None:
    bson = pytest.importorskip("bson")
    id = bson.ObjectId()
    M = model_of([{"_id": id}])
    assert M.model_validate({"_id": id}).id == M.model_validate({"_id": str(id)}).id == id  # type: ignore[attr-defined]
    assert M.model_validate({"_id": id}).model_dump_json(by_alias=True) == f'{{"_id":"{id}"}}'
    with pytest.raises(ValidationError):
        M.model_validate({"_id": "no"})
    assert schema_of_model(M)["fields"]["_id"]["type"] == "objectid"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("users", "User"), ("flights", "Flight"), ("order_items", "OrderItem"), ("categories", "Category"),
        ("mongo.users", "User"), ("weather", "Weather"), ("status", "Status"), ("boxes", "Box"),
        ("UserView", "UserView"),
        ("2024-sales", "Model2024Sale"), ("", "Model"), ("people", "Person"), ("größen", "Größen"),
    ],
)  # fmt: skip
def test_class_names(name: str, expected: str) -> None:
    assert class_name(name) == expected
    assert class_name(name).isidentifier()


def test_singulars_of_words_that_only_look_plural() -> None:
    assert [singular(word) for word in ("news", "glass", "analysis", "gas", "bus")] == [
        "news", "glass", "analysis", "gas", "bus",
    ]  # fmt: skip


def test_attribute_names_never_collide() -> None:
    names = attribute_names(["_a", "a", "a ", "a_", "$a", ""], set())
    assert len(set(names.values())) == 6
    assert names["a"] == "a"


def test_schema_and_model_describe_each_other() -> None:
    schema = infer(EVERYTHING).schema
    again = schema_of_model(build_model(schema, "users"))
    assert again.primary_key == ("_id",)
    assert again.fields == schema.fields


class Role(Enum):
    ADMIN = "admin"
    USER = "user"


class Address(BaseModel):
    city: str


class Handwritten(BaseModel):
    id: int
    nick: str | None = None
    role: Role = Role.USER
    kind: Literal["a", "b"]
    either: int | str
    place: Address | None = None
    tags: set[str] = Field(default_factory=set)
    options: dict[str, int] = {}
    born: date = Field(alias="bornOn", description="the day")


def test_the_schema_of_a_handwritten_model() -> None:
    schema = schema_of_model(Handwritten)
    shown = {f.name: (str(f.type), f.absence) for f in schema.fields}
    assert shown == {
        "id": ("int", "never"), "nick": ("string", "null"), "role": ("string", "missing"),
        "kind": ("string", "never"),
        "either": ("mixed", "never"), "place": ("object<city: string>", "null"),
        "tags": ("array<string>", "missing"),
        "options": ("object", "missing"), "bornOn": ("date", "never"),
    }  # fmt: skip
    assert schema.field("role").enum == ("admin", "user")  # type: ignore[union-attr]
    assert schema.field("bornOn").description == "the day"  # type: ignore[union-attr]
    assert schema.primary_key == ("id",)


def test_the_source_of_a_model_defines_it() -> None:
    User = model_of(EVERYTHING)
    source = model_source(User)
    space: dict[str, Any] = {}
    exec(source, space)
    assert model_source(space["User"]) == source
    for document in EVERYTHING:
        assert (
            space["User"].model_validate(document).model_dump() == User.model_validate(document).model_dump()
        )


LONG: list[dict[str, Any]] = [
    {
        "id": i, "n": None if i % 3 else i, "x": i * 0.5, "at": datetime(2024, 1, 1, tzinfo=UTC),
        "in": {"s": f'"{i}'}, "l": [{"k": i}],
    }
    for i in range(2_500)
]  # fmt: skip


def as_documents(models: list[Any]) -> list[dict[str, Any]]:
    return [model.model_dump(by_alias=True, exclude_unset=True) for model in models]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"x": float("inf")},
        {"in": {"s": "ü\x00\u2028"}},
        {"more": 1},
        {"at": datetime(9999, 12, 31, tzinfo=UTC)},
    ],
)
def test_models_of_a_frame_are_those_of_its_documents(odd: dict[str, Any]) -> None:
    documents = [*LONG, LONG[0] | odd]
    frame, schema, _ = infer(documents)
    assert as_documents(to_models(frame, schema, build_model(schema, "rows"))) == documents


def test_everything_survives_the_frame_into_models() -> None:
    documents = EVERYTHING * 600
    frame, schema, _ = infer(documents)
    assert as_documents(to_models(frame, schema, build_model(schema, "users"))) == documents


def test_a_model_of_ones_own_is_validated_as_it_says() -> None:
    class Doubled(BaseModel):
        id: int

        def model_post_init(self, _: Any) -> None:
            self.id *= 2

    frame, schema, _ = infer([{"id": i} for i in range(1_500)])
    assert [m.id for m in to_models(frame, schema, Doubled)] == [2 * i for i in range(1_500)]


def test_a_row_that_does_not_fit_is_named_without_its_value() -> None:
    schema = Schema.from_polars({"n": pl.String})
    M = build_model({"fields": {"n": {"type": "int"}}}, "rows")
    frame = pl.DataFrame({"n": ["secret"]})
    with pytest.raises(XRepoValidationError, match="row 1, n: input should be a valid integer") as caught:
        to_models(frame, schema, M)
    assert "secret" not in str(caught.value)


def test_bson_is_imported_only_when_needed() -> None:
    import subprocess

    code = (
        "import sys; from xrepo_nb.schema.models import build_model\n"
        "from xrepo_nb.schema.inference import infer\n"
        "build_model(infer([{'a': 1, 'b': {'c': 'x'}}]).schema, 'rows');"
        "print([m for m in ('bson', 'pandas', 'pyarrow', 'duckdb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_uuid_values_stay_uuids() -> None:
    key = uuid4()
    frame, schema, _ = infer([{"k": key}])
    assert frame.schema["k"] == pl.Binary
    assert to_models(frame, schema, build_model(schema, "rows"))[0].k == key  # type: ignore[attr-defined]
