"""Errors say what was asked, what exists and what to do."""

import pickle
import re
from pathlib import Path

import pytest

import xrepo_nb
from xrepo_nb.core import errors
from xrepo_nb.core.errors import XRepoError, XRepoQueryError, closest


def test_an_error_names_what_was_asked_what_exists_and_the_nearest():
    error = XRepoError("column 'agee' not found", asked="agee", exists=["age", "name"])
    assert str(error) == "column 'agee' not found; there are: age, name. Hint: did you mean 'age'?"
    assert (error.asked, error.exists, error.hint) == ("agee", ("age", "name"), "did you mean 'age'?")


def test_a_given_hint_wins_over_the_nearest_name():
    assert str(XRepoError("no 'a'", asked="a", exists=["a1"], hint="look twice")).endswith("Hint: look twice")


def test_long_lists_are_cut_with_a_count():
    assert "and 8 more" in str(XRepoError("no", asked="x", exists=[f"c{i}" for i in range(20)]))


def test_a_query_error_tells_the_place():
    error = XRepoQueryError(
        "unknown operator $summ", at="pipeline[2].$group.total.$summ", asked="$summ", exists=["$sum"]
    )
    assert "(at pipeline[2].$group.total.$summ)" in str(error)
    assert error.hint == "did you mean '$sum'?"


def test_nothing_near_means_no_hint():
    assert closest("zzz", ["age", "name"]) is None


@pytest.mark.parametrize(
    "name, also",
    [
        ("XRepoConfigurationError", ValueError),
        ("XRepoValidationError", ValueError),
        ("XRepoNotFoundError", LookupError),
        ("XRepoTimeoutError", TimeoutError),
        ("XRepoUnsupportedError", ValueError),
    ],
)
def test_errors_are_also_the_built_in_kind_that_callers_expect(name, also):
    assert issubclass(getattr(errors, name), also) and issubclass(getattr(errors, name), XRepoError)


def test_errors_survive_pickling_between_processes():
    error = XRepoQueryError("unknown", at="filter.$x", asked="$x", exists=["$y"])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.at, again.asked) == (str(error), "filter.$x", "$x")


def test_no_message_writes_an_article_before_a_noun_that_it_does_not_know() -> None:
    written = re.compile(r"""f["'][^"']*\ba \{""")
    found = [
        f"{path.name}:{number}"
        for path in Path(xrepo_nb.__file__).parent.rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if written.search(line)
    ]
    assert found == [], "write {an(noun)}"
