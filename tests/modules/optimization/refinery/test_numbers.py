"""Numbers with units and by period, as a refinery model writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from orchestrator.modules.optimization.refinery.numbers import (
    Amount,
    Cost,
    Money,
    Plain,
    Quality,
    Rate,
    Reading,
    added,
    at,
    multiplied,
    reading,
)

BARRELS = Reading("bbl", "USD", ("january", "february"))


def read(kind, value, units=BARRELS):
    with reading(units):
        return TypeAdapter(kind).validate_python(value)


def said(kind, value, units=BARRELS):
    with pytest.raises(ValidationError) as caught:
        read(kind, value, units)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        (Rate, 60, 60.0),
        (Rate, "6e1", 60.0),
        (Rate, "60 kbbl/d", 60_000.0),
        (Rate, "42 gal/day", 1.0),
        (Rate, "60 kbbl / d", 60_000.0),
        (Money, "74.5 USD / bbl", 74.5),
        (Amount, "2 kbbl", 2000.0),
        (Plain, "25 %", 0.25),
        (Money, "74.5 USD/bbl", 74.5),
        (Money, "2 USD/gal", 84.0),
        (Cost, "2 USD/gal", 84.0),
        (Quality, 0.5, 0.5),
    ],
)
def test_a_number_is_read_in_the_model_s_units(kind, given, wanted):
    assert read(kind, given) == pytest.approx(wanted)


@pytest.mark.parametrize("kind", [Rate, Amount, Plain, Quality, Cost, Money])
@pytest.mark.parametrize("text", ["120", " 0.5 ", "-3.0"])
def test_a_quoted_number_without_unit_is_text(kind, text):
    with pytest.raises(ValidationError, match="write the number without quotes"):
        read(kind, text)


@pytest.mark.parametrize("text", ["PR_CRUDE + 1", "42 * PR", "1 if PR > 3 else 2"])
def test_a_price_may_be_an_expression_over_tags(text):
    assert read(Money, text) == text


def test_a_cubic_metre_in_barrels():
    assert read(Rate, "1 m3/d") == pytest.approx(6.28981, rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        (Rate, "60 t/d", "is in t/d, which does not fit quantity_unit bbl"),
        (Rate, "60 kbbl", "give a flow in bbl/day"),
        (Amount, "2 kbbl/d", "give an amount in bbl"),
        (Rate, "sixty", "must be a number"),
        (Rate, float("nan"), "must be a finite number"),
        (Rate, float("inf"), "must be a finite number"),
        (Rate, -1, "must be at least 0"),
        (Rate, True, "must be a number"),
        (Rate, None, "must be a number"),
        (Cost, "2 + PR", "must be a number"),
        (Quality, "0.5 %", "write the number alone"),
        (Plain, "3 bbl", "where a plain number or % is meant"),
        (Money, "74 EUR/bbl", "is in EUR, and money_unit is USD"),
        (Money, "560 USD/t", "give it in USD/bbl"),
        (Money, "1 +", "neither a number nor an expression"),
        (Rate, [1, 2, 3], "has 3 numbers, and the model has 2 periods"),
        (Rate, {"january": 1}, "has no number for february"),
        (Rate, {"january": 1, "march": 2}, "names the period 'march'"),
        (Rate, {}, "has no number for january, february"),
    ],
)
def test_a_number_that_cannot_be_meant_is_refused(kind, given, words):
    assert words in said(kind, given)


def test_numbers_by_period_are_lists_or_mappings():
    listed = read(Rate, [1, "2 kbbl/d"])
    assert (at(listed, "january"), at(listed, "february")) == (1.0, 2000.0)
    mapped = read(Rate, {"february": 5, "default": 7})
    assert (at(mapped, "january"), at(mapped, "february")) == (7.0, 5.0)
    assert read(Money, {"january": "PR", "february": 3}) == {"january": "PR", "february": 3.0}


NUMBERS = st.one_of(
    st.floats(-1e6, 1e6),
    st.fixed_dictionaries(
        {"january": st.floats(-1e6, 1e6), "february": st.floats(-1e6, 1e6)},
        optional={"default": st.floats(-1e6, 1e6)},
    ),
)


@given(NUMBERS, NUMBERS)
def test_sums_and_products_are_those_of_each_period(first, second):
    for period in ("january", "february"):
        a, b = at(first, period), at(second, period)
        assert at(added(first, second), period) == pytest.approx(a + b)
        assert at(multiplied(first, second), period) == pytest.approx(a * b)
