"""Expressions over tags: what is read, what is refused, and how NaN travels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigurationError, UnknownTagError
from orchestrator.plant.expressions import MAX_LENGTH, Expression


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7.0),
        ("-a ** 2", -4.0),
        ("7 // 2 + 7 % 4", 6.0),
        ("min(a, 5, b) + max(a, b)", 5.0),
        ("abs(-b) + sqrt(9) + exp(0) + log(1)", 7.0),
        ("where(a > b, 10, 20)", 20.0),
        ("10 if a <= b else 20", 10.0),
        ("1 < a < b", 1.0),
        ("(a == 2) and not (b == 2)", 1.0),
        ("a != 2 or b > 100", 0.0),
        ("`11TI042.PV` - `a tag`", 30.0),
    ],
)
def test_value(text: str, expected: float) -> None:
    values = {"a": 2.0, "b": 3.0, "11TI042.PV": 50.0, "a tag": 20.0}
    assert Expression.parse(text).evaluate(values) == pytest.approx(expected)


def test_names_are_the_tags_and_not_the_functions() -> None:
    expression = Expression.parse("max(feed, 1) * `FI-101`")
    assert expression.names == {"feed", "FI-101"}


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "a.b",
        "a[0]",
        "[a]",
        "lambda: 1",
        "(a := 1)",
        "'text'",
        "True",
        "a @ b",
        "~a",
        "f(a)",
        "min(a)",
        "where(a, b)",
        "max(*a)",
        "abs(x=1)",
        "a in b",
        "11TI042 + 1",
        "a +",
        "",
        "`a",
        "1+" * MAX_LENGTH + "1",
        "+".join(["a"] * 400),
    ],
)
def test_refuses_what_is_not_arithmetic(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not an expression"):
        Expression.parse(text)


def test_unknown_name_is_named() -> None:
    with pytest.raises(UnknownTagError, match="no tag b"):
        Expression.parse("a + b").evaluate({"a": 1.0})


@pytest.mark.parametrize(
    "text",
    ["a / b", "min(a / b, 5)", "1 / (a / b)", "log(b)", "sqrt(a - 5)", "9 ** 9 ** 9 ** 9", "b / b"],
)
def test_no_finite_value_is_nan(text: str) -> None:
    assert math.isnan(float(Expression.parse(text).evaluate({"a": 1.0, "b": 0.0})))


@pytest.mark.parametrize(
    "text",
    ["a + b", "b > a", "not b", "a and b", "a or b", "min(a, b)", "max(a, b)", "where(b, a, a)",
     "b == b", "a ** b", "b ** 2"],
)  # fmt: skip
def test_missing_value_makes_the_result_missing(text: str) -> None:
    for missing in (None, math.nan):
        assert math.isnan(float(Expression.parse(text).evaluate({"a": 1.0, "b": missing})))


@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), min_size=1, max_size=20),
    st.floats(-1e6, 1e6),
)
def test_arrays_give_what_their_elements_give(column: list[float], number: float) -> None:
    expression = Expression.parse("where(x > y, x - y, min(x, y) / 2) + abs(y)")
    together = np.asarray(expression.evaluate({"x": np.array(column), "y": number}))
    single = [float(expression.evaluate({"x": value, "y": number})) for value in column]
    np.testing.assert_array_equal(together, single)
