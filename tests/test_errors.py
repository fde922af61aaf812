"""Errors: stable codes, complete texts, and the way across process boundaries."""

import pickle

import pytest

from orchestrator import errors
from orchestrator.errors import DanGError, DataError, InputError


def every_class() -> list[type[DanGError]]:
    found, todo = [], [DanGError]
    while todo:
        kind = todo.pop()
        found.append(kind)
        todo.extend(kind.__subclasses__())
    return [kind for kind in found if kind.__module__ == errors.__name__]


def test_codes_are_unique() -> None:
    codes = [kind.__dict__["code"] for kind in every_class() if "code" in kind.__dict__]
    assert len(codes) == len(set(codes))


def test_the_tree_in_the_module_names_every_class() -> None:
    assert errors.__doc__ is not None
    for kind in every_class():
        assert kind.__name__ in errors.__doc__


@pytest.mark.parametrize("kind", every_class())
def test_an_error_survives_pickling_with_all_it_says(kind: type[DanGError]) -> None:
    error = kind("what", where="there", why="it matters", remedy="mend it", context={"tag": "FI1"})
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert again.problem("/x") == error.problem("/x")


def test_the_text_answers_what_where_why_and_what_to_do() -> None:
    error = DataError("row 3 has 2 values", where="a.csv", why="it is unusable", remedy="mend it.")
    assert str(error) == "a.csv: row 3 has 2 values. It is unusable. Mend it"


def test_a_problem_document_cannot_be_overwritten_by_its_context() -> None:
    assert DataError("x", context={"status": 200}).problem()["status"] == 400


@pytest.mark.parametrize(
    ("remedy", "said"),
    [
        ("list the tags", "list is wrong. List the tags"),
        ("dan-g tags list shows them", "list is wrong. dan-g tags list shows them"),
        ("llm.api_key must be set", "list is wrong. llm.api_key must be set"),
    ],
)
def test_each_sentence_begins_with_a_capital_unless_it_is_a_name(remedy: str, said: str) -> None:
    assert str(InputError("list is wrong", remedy=remedy)) == said
