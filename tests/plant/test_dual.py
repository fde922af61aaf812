import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.plant.dual import Dual
from orchestrator.plant.expressions import Expression

TEXTS = (
    "x * y + 3 / (x + y) - y",
    "exp(-x / 7) * y ** 2.5",
    "sqrt(x * y) + log(x + 2 * y)",
    "min(x, 3 * y) + max(x * x, y) - abs(y - x - 40)",
    "where(x > y, x ** 2, y ** 3) if x < 100 else 0",
    "(x % 90) * y + x // 90 + (+x) * (-y)",
    "x ** y",
)


@pytest.mark.parametrize("text", TEXTS)
def test_slopes_are_those_of_central_differences(text):
    expression = Expression.parse(text)
    x, y = np.array([1.3, 2.7, 5.1]), np.array([0.4, 3.3, 2.2])
    found = expression.linearised(
        {"x": Dual(x, np.array([[1.0], [0.0]])), "y": Dual(y, np.array([[0.0], [1.0]]))}
    )
    assert found.value == pytest.approx(expression.evaluate({"x": x, "y": y}))
    h = 1e-6
    for row, (dx, dy) in enumerate(((h, 0.0), (0.0, h))):
        upper = expression.evaluate({"x": x + dx, "y": y + dy})
        lower = expression.evaluate({"x": x - dx, "y": y - dy})
        assert found.slope[row] == pytest.approx((upper - lower) / (2 * h), rel=1e-6, abs=1e-7)


@settings(max_examples=60, deadline=None)
@given(x=st.floats(-3, 3), y=st.floats(-3, 3))
def test_where_there_is_no_finite_value_there_is_none_with_slopes_either(x, y):
    expression = Expression.parse("log(x) / y + sqrt(y)")
    plain = expression.evaluate({"x": x, "y": y})
    given_ = {"x": Dual(np.array([x]), np.ones((1, 1))), "y": Dual(np.array([y]), np.ones((1, 1)))}
    value = float(expression.linearised(given_).value[0])
    if math.isnan(plain):
        assert not math.isfinite(value)
    else:
        assert value == pytest.approx(plain)


def test_what_has_no_slope_rule_is_refused():
    with pytest.raises(TypeError):
        np.arctan2(Dual(np.ones(2), np.ones((1, 2))), 1.0)
