"""Tags that are not there are found before a job is made of them."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.core.named_tags import check_named_tags
from orchestrator.errors import UnknownTagError
from orchestrator.modules.registry import load_registry
from orchestrator.plant.tags import Plant, Tag

PLANT = Plant(name="unit", tags=(Tag(name="FI101"), Tag(name="TI130")))
INLINE = {"columns": {"time": ["2026-03-01T00:00:00Z"], "A": [1.0], "B": [2.0]}}
RANGE = {"tags": ["TI130"], "start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"}


def check(
    module: str, name: str, plant: Plant = PLANT, stored: tuple[str, ...] = (), **given: Any
) -> None:
    operation = load_registry().operation(module, name)
    check_named_tags(operation, operation.input_model.model_validate(given), plant, stored)


@pytest.mark.parametrize(
    ("module", "name", "given", "field"),
    [
        ("forecasting", "forecast", {"targets": ["FI101", "NOPE"]}, "targets"),
        ("forecasting", "forecast", {"targets": ["FI101"], "data": INLINE}, "targets"),
        ("forecasting", "forecast", {"targets": ["FI101"], "data": RANGE}, "targets"),
        ("forecasting", "explain", {"target": "NOPE"}, "target"),
        ("forecasting", "backtest", {"targets": ["NOPE"]}, "targets"),
        ("forecasting", "soft_sensor", {"target": "TI130", "inputs": ["NOPE"]}, "inputs"),
        ("forecasting", "time_to_limit", {"tags": ["NOPE"]}, "tags"),
        ("etl", "validate", {"tags": ["C"], "data": INLINE}, "tags"),
        ("etl", "clean", {"tags": ["NOPE"]}, "tags"),
        ("optimization", "setpoints", {"restore": ["A"], "data": INLINE}, "restore"),
    ],
)
def test_a_tag_that_is_not_there_is_named_with_its_field(
    module: str, name: str, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(UnknownTagError) as raised:
        check(module, name, **given)
    (error,) = raised.value.context["errors"]
    assert error["field"] == field
    assert error["message"].startswith("there is no tag ")
    assert raised.value.status == 422
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("module", "name", "given"),
    [
        ("forecasting", "forecast", {"targets": ["TI130"], "data": RANGE}),
        ("forecasting", "forecast", {"targets": ["A"], "data": INLINE}),
        ("forecasting", "forecast", {"targets": ["A"], "data": {"rows": [{"time": 1, "A": 2}]}}),
        ("forecasting", "forecast", {"targets": ["OLD"]}),
        ("etl", "validate", {}),
        ("optimization", "setpoints", {"restore": ["TI130"], "data": INLINE}),
    ],
)
def test_what_is_there_passes(module: str, name: str, given: dict[str, Any]) -> None:
    check(module, name, stored=("OLD",), **given)


def test_where_nothing_is_known_the_job_finds_out() -> None:
    check("forecasting", "forecast", plant=Plant(), targets=["ANY"])


def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(UnknownTagError, match="Did you mean FI101"):
        check("forecasting", "forecast", targets=["FI-101"])


def test_times_are_no_tag() -> None:
    rows = {"rows": [{"time": 1, "A": 2, "B": 3}]}
    for data in (INLINE, rows):
        with pytest.raises(UnknownTagError, match=r"There is: A, B$"):
            check("forecasting", "forecast", targets=["zzz"], data=data)
