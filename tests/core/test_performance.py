"""KPIs, balances, equipment and market: right when they can be computed, absent when not."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from orchestrator.core.performance import Performance, change_name
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Plant

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday


def plant(**parts) -> Plant:
    tags = [{"name": name, "period_seconds": 3600} for name in ("FEED", "OUT1", "OUT2", "P1", "P2")]
    return Plant.model_validate({"tags": tags, **parts})


def hours(
    columns: dict[str, np.ndarray], start: datetime = START, step: float = 1.0
) -> SampleBlock:
    count = len(next(iter(columns.values())))
    first = np.datetime64(start.replace(tzinfo=None), "us")
    times = first + (np.arange(count) * step * 3600e6).astype("timedelta64[us]")
    values = np.column_stack([np.asarray(v, dtype=float) for v in columns.values()])
    quality = np.where(np.isnan(values), 3, 0).astype(np.uint8)
    return SampleBlock(tuple(columns), times, values, quality)


def test_a_change_is_the_last_day_against_the_week_before() -> None:
    performance = Performance(plant(kpis={"energy_index": {"expression": "OUT1 / FEED * 100"}}))
    out = np.concatenate([np.full(168, 2.0), np.full(24, 2.1)])
    performance.update(hours({"FEED": np.full(192, 4.0), "OUT1": out}))
    kpis = performance.kpis(START + timedelta(hours=191, minutes=30))
    assert kpis["energy_index"] == pytest.approx(52.5)
    assert kpis["energy_index_change_pct"] == pytest.approx(5.0)


def test_without_half_of_the_baseline_there_is_a_value_and_no_change() -> None:
    performance = Performance(plant(kpis={"energy_index": {"expression": "OUT1"}}))
    performance.update(hours({"OUT1": np.full(100, 2.0)}))
    assert performance.kpis(START + timedelta(hours=99)) == {"energy_index": 2.0}


def test_a_kpi_over_a_missing_tag_is_absent() -> None:
    performance = Performance(plant(kpis={"energy_index": {"expression": "OUT1 / FEED"}}))
    performance.update(hours({"OUT1": np.full(200, 2.0), "FEED": np.full(200, np.nan)}))
    assert performance.kpis(START + timedelta(hours=199)) == {}


def test_a_value_older_than_the_present_is_not_shown_as_present() -> None:
    performance = Performance(plant(kpis={"throughput_pct": {"expression": "FEED"}}))
    performance.update(hours({"FEED": np.full(10, 2.0)}))
    assert performance.kpis(START + timedelta(hours=30)) == {}


def test_the_balance_that_closes_worst_is_reported_with_its_sign() -> None:
    balances = [
        {"name": "a", "inputs": ["FEED"], "outputs": ["OUT1", {"tag": "OUT2", "factor": 2}]},
        {"name": "b", "inputs": ["FEED"], "outputs": ["OUT1"]},
    ]
    performance = Performance(plant(balances=balances))
    performance.update(hours({"FEED": [100.0] * 3, "OUT1": [104.0] * 3, "OUT2": [0.0] * 3}))
    assert performance.balance_error_pct(START + timedelta(hours=2)) == pytest.approx(-4.0)
    assert performance.balance_error_pct(START + timedelta(days=2)) is None


def test_health_and_its_trend_a_day() -> None:
    equipment = [{"id": "E-1", "kind": "exchanger", "health": "OUT1"}]
    performance = Performance(plant(equipment=equipment))
    performance.update(hours({"OUT1": 0.9 - 0.02 * np.arange(192) / 24}))
    (facts,) = performance.equipment(START + timedelta(hours=191))
    assert facts["health"] == pytest.approx(0.9 - 0.02 * 190.5 / 24)
    assert facts["trend_per_day"] == pytest.approx(-0.02)


def test_a_health_without_enough_past_has_no_trend() -> None:
    performance = Performance(plant(equipment=[{"id": "E-1", "health": "OUT1"}]))
    performance.update(hours({"OUT1": np.full(20, 0.9)}))
    assert list(performance.equipment(START + timedelta(hours=19))) == [
        {"id": "E-1", "kind": None, "health": 0.9}
    ]


def test_a_crack_spread_that_crosses_zero_changes_relative_to_its_mean_size() -> None:
    performance = Performance(plant(market={"crude": "P1", "crack_spread": "P2 - P1"}))
    days = 7 * 13
    spread = np.where(np.arange(days) % 2 == 0, 4.0, -4.0)
    spread[-5:] = [1.0, 1.0, 1.0, 1.0, 2.0]  # Wednesday .. Sunday
    crude = np.full(days, 80.0)
    crude[-3:] = 82.0  # from Friday
    performance.update(hours({"P1": crude, "P2": crude + spread}, step=24))
    sunday = START + timedelta(days=days - 1)
    facts = performance.market(sunday)
    trading = [s for i, s in enumerate(spread) if i % 7 < 5][-60:]
    expected = 100 * (trading[-1] - trading[-6]) / np.mean(np.abs(trading))
    assert facts["crack_spread_change_pct"] == pytest.approx(expected)
    assert facts["crude_change_pct"] == pytest.approx(100 * 2 / 80)


def test_market_fields_without_enough_past_are_absent() -> None:
    performance = Performance(plant(market={"crude": "P1", "crack_spread": "P2 - P1"}))
    performance.update(hours({"P1": [80.0], "P2": [90.0]}, step=24))
    assert performance.market(START) == {}


def test_a_report_is_new_for_an_hour_after_its_number_changed() -> None:
    performance = Performance(plant(market={"report": "P1"}))
    at = START
    seen = []
    for value in (7.0, 7.0, 8.0, 8.0):
        performance.update(hours({"P1": [value]}, start=at))
        seen.append(performance.market(at)["new_report"])
        at += timedelta(hours=1)
    assert seen == [False, False, True, False]


@pytest.mark.parametrize(
    ("kpi", "change"),
    [
        ("margin_usd_per_bbl", "margin_change_pct"),
        ("energy_index", "energy_index_change_pct"),
    ],
)
def test_names_of_changes_are_those_of_the_situation(kpi: str, change: str) -> None:
    assert change_name(kpi) == change
