"""Units as plants write them."""

from __future__ import annotations

import pytest

from orchestrator.plant.units import conversion, known, normalise


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("m3/h", "m**3/h"),
        ("°C", "degC"),
        ("C", "degC"),
        ("%", "percent"),
        ("mol%", "percent"),
        ("kPa (gauge)", "kPa"),
        ("barg", "bar"),
        ("kscmh", "ksm3/h"),
        ("BPD", "bbl/day"),
        ("t/h", "t/h"),
    ],
)
def test_spelling(written: str, unit: str) -> None:
    assert normalise(written) == unit
    assert normalise(unit) == unit
    assert known(unit)


@pytest.mark.parametrize(
    ("given", "wanted", "value", "expected"),
    [
        ("degF", "degC", 212.0, 100.0),
        ("K", "°C", 300.0, 26.85),
        ("kg/h", "t/h", 2500.0, 2.5),
        ("kbd", "bbl/d", 1.5, 1500.0),
        ("USD/gallon", "USD/bbl", 2.0, 84.0),
        ("bar", "kPa", 2.0, 200.0),
        ("weird", "weird", 7.0, 7.0),
    ],
)
def test_conversion(given: str, wanted: str, value: float, expected: float) -> None:
    found = conversion(given, wanted)
    assert found is not None
    scale, offset = found
    assert scale * value + offset == pytest.approx(expected)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("degC", "kPa"), ("t/h", "m3/h"), ("barg", "bara"), ("mol%", "wt%"), ("weird", "kPa")],
)
def test_no_conversion(given: str, wanted: str) -> None:
    assert conversion(given, wanted) is None


@pytest.mark.parametrize("text", ["", "weird", "m/", "3 5", "import os", "1e999", "((", "µ%"])
def test_nonsense_is_unknown_and_never_an_error(text: str) -> None:
    assert not known(text) or conversion(text, text) == (1.0, 0.0)
    assert normalise(text) == normalise(normalise(text))
