"""A plant file whose units cannot be true is refused before anything is computed with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.plant.tags import load_plant

FLOWS = """
  - {name: F1, unit: t/h, kind: flow}
  - {name: F2, unit: kg/s, kind: flow}
  - {name: F3, unit: m3/h, kind: flow}
"""


def load(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tags.yaml"
    path.write_text(text, encoding="utf-8")
    load_plant(path)


@pytest.mark.parametrize(
    ("kind", "unit"),
    [("flow", "degC"), ("temperature", "t/h"), ("pressure", "degC"), ("flow", "m3")],
)
def test_a_unit_that_does_not_measure_the_kind_is_named(
    tmp_path: Path, kind: str, unit: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"tag X: unit .* does not measure .*{kind}"):
        load(tmp_path, f"tags: [{{name: X, unit: {unit}, kind: {kind}}}]")


@pytest.mark.parametrize(
    ("kind", "unit"),
    [
        ("flow", "kbbl/d"),
        ("flow", "kmol/h"),
        ("pressure", "kg/cm2g"),
        ("temperature", "degF"),
        ("level", "m"),
        ("level", "%"),
        ("flow", ""),
    ],
)
def test_the_units_of_the_trade_pass(tmp_path: Path, kind: str, unit: str) -> None:
    load(tmp_path, f"tags: [{{name: X, unit: '{unit}', kind: {kind}}}]")


def test_a_balance_over_mass_and_volume_is_refused_unless_a_factor_converts(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigurationError, match="balance b: its tags measure different things"):
        load(tmp_path, f"tags:{FLOWS}balances: [{{name: b, inputs: [F1], outputs: [F3]}}]")
    converted = "balances: [{name: b, inputs: [F1], outputs: [F2, {tag: F3, factor: 0.85}]}]"
    load(tmp_path, f"tags:{FLOWS}{converted}")


@pytest.mark.parametrize(
    ("product", "said"),
    [
        ("{flow: F9}", "product gas: names unknown tags F9"),
        ("{flow: F1, specifications: {Q: [1, 2]}}", "product gas: names unknown tags Q"),
        ("{flow: F1, specifications: {F2: [2, 1]}}", "of F2 at least 2 and at most 1"),
    ],
)
def test_a_product_that_cannot_be_is_named(tmp_path: Path, product: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(tmp_path, f"tags:{FLOWS}products: {{gas: {product}}}")
