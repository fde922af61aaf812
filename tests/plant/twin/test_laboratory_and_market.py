from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from orchestrator.plant.samples import Quality
from orchestrator.plant.twin.instruments import LABORATORY
from orchestrator.plant.twin.market import report_number, report_time
from orchestrator.plant.twin.scenario import Scenario
from orchestrator.plant.twin.source import TwinSource


def whole(source: TwinSource, days: int):
    parts = []
    for true, shown in source.truth(timedelta(days=1)):
        parts.append((true, shown))
        if len(parts) == days:
            break
    tags = source.plant.tag_names
    values = np.vstack([shown.values for _, shown in parts])
    truth = np.vstack([true.values for true, _ in parts])
    return dict(zip(tags, values.T, strict=True)), dict(zip(tags, truth.T, strict=True))


def test_laboratory_results_are_few_and_late_and_near_the_truth_when_drawn():
    source = TwinSource(Scenario(name="trial", warm_up_hours=0, price_history_days=0), seed=2)
    shown, true = whole(source, 10)
    for tag, plan in LABORATORY.items():
        known = np.flatnonzero(np.isfinite(shown[tag]))
        expected = 240 / plan.every_hours
        assert expected - 1 <= len(known) <= expected, tag
        first = 60 * (plan.first_hours % plan.every_hours)
        drawn = first + 60 * plan.every_hours * np.arange(expected)
        for row in known:
            sample = int(drawn[drawn <= row - 60 * plan.delay_hours[0] + 1].max())
            assert row - sample <= 60 * plan.delay_hours[1] + 1, tag
            assert abs(shown[tag][row] - true[tag][sample]) < 5 * plan.noise, tag


def test_laboratory_results_do_not_depend_on_how_the_run_is_cut():
    scenario = Scenario(name="trial", warm_up_hours=30, price_history_days=0)
    cut = [
        np.vstack([b.values for b in TwinSource(scenario, seed=5).history(timedelta(minutes=m))])
        for m in (17, 1440)
    ]
    assert np.array_equal(np.isnan(cut[0]), np.isnan(cut[1]))


def test_stocks_come_with_the_weekly_report_and_its_number_steps_then():
    start = datetime(2026, 3, 2, tzinfo=UTC)
    scenario = Scenario(name="trial", warm_up_hours=0, price_history_days=0, start=start)
    shown, true = whole(TwinSource(scenario), 10)
    reported = np.flatnonzero(np.isfinite(shown["ST_PRODUCTS"]))
    row = int((datetime(2026, 3, 4, 15, 30, tzinfo=UTC) - start) / timedelta(minutes=1))
    assert reported.tolist() == [row, row + 7 * 1440]
    steps = np.flatnonzero(np.diff(shown["XI_REPORT"])) + 1
    assert steps.tolist() == reported.tolist()
    assert true["ST_PRODUCTS"][row] == pytest.approx(shown["ST_PRODUCTS"][row], abs=0.51)


def test_reports_are_numbered_by_the_week():
    number = report_number(datetime(2026, 3, 4, 15, 30, tzinfo=UTC))
    assert report_time(number) == datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
    assert report_number(datetime(2026, 3, 4, 15, 29, tzinfo=UTC)) == number - 1


def test_three_years_of_reports_come_before_the_warm_up():
    source = TwinSource(Scenario(name="trial", warm_up_hours=24, price_history_days=30))
    tags = source.plant.tag_names
    stock, report = (tags.index(tag) for tag in ("ST_PRODUCTS", "XI_REPORT"))
    before = [
        (time, values, quality)
        for block in source.history()
        for time, values, quality in zip(block.times, block.values, block.quality, strict=True)
        if quality[stock] == Quality.GOOD
    ]
    assert len(before) >= 156
    assert np.diff([values[report] for _, values, _ in before]).tolist() == [1] * (len(before) - 1)
    stocks = np.array([values[stock] for _, values, _ in before])
    assert 22_000 < stocks.min() < stocks.max() < 28_000


def test_more_demand_draws_stocks_and_lifts_the_price(quiet):
    rise = {"kind": "demand_change", "target": "PR_DIESEL", "magnitude": 0.3, "onset_minutes": 0}
    start = datetime(2026, 3, 2, tzinfo=UTC)
    shown, _ = whole(TwinSource(quiet(rise, start=start)), 10)
    calm, _ = whole(TwinSource(quiet(start=start)), 10)
    change = (shown["ST_PRODUCTS"] - calm["ST_PRODUCTS"])[np.isfinite(calm["ST_PRODUCTS"])]
    days = [2 + 15.5 / 24, 9 + 15.5 / 24]
    assert change.tolist() == pytest.approx([-270 * day for day in days], abs=1.5)
    assert shown["PR_DIESEL"][-1] - calm["PR_DIESEL"][-1] == pytest.approx(6, abs=0.02)
