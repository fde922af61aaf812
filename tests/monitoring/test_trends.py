"""Mann–Kendall and Sen against other implementations; trends that matter and those that do not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from orchestrator.config import MonitoringSettings
from orchestrator.monitoring.life_cycle import Alert
from orchestrator.monitoring.monitor import Monitor
from orchestrator.monitoring.trends import mann_kendall, sen_slope
from orchestrator.plant.tags import Limits, Plant, Tag
from tests.monitoring.conftest import make_block, row_of

series = arrays(np.float64, 20, elements=st.integers(-50, 50).map(float), unique=True)


@settings(deadline=None)
@given(series)
def test_the_slope_is_that_of_theil_and_sen(values: np.ndarray) -> None:
    expected = stats.theilslopes(values, np.arange(20)).slope
    assert sen_slope(values[:, None])[0] == pytest.approx(expected)


@settings(deadline=None)
@given(series)
def test_the_statistic_orders_like_kendalls_tau(values: np.ndarray) -> None:
    tau = stats.kendalltau(np.arange(20), values).statistic
    s = tau * 190
    expected = (s - np.sign(round(s))) / np.sqrt(20 * 19 * 45 / 18)
    assert mann_kendall(values[:, None])[0] == pytest.approx(expected, abs=1e-6)


def test_missing_bins_are_left_out() -> None:
    values = np.arange(20.0)[:, None].copy()
    whole = mann_kendall(values)[0]
    values[[3, 9]] = np.nan
    assert 0 < mann_kendall(values)[0] < whole
    assert sen_slope(values)[0] == pytest.approx(1.0)
    assert np.isnan(sen_slope(np.full((20, 1), np.nan)))[0]


def trends_of(
    ramp: Callable[[np.ndarray], np.ndarray], limits: Limits | None = None
) -> list[Alert]:
    """Trend alerts when ``ramp`` (in standard deviations, of the row) is added to independent noise."""
    names = tuple(f"T{i}" for i in range(12))
    plant = Plant(tags=tuple(Tag(name=n, limits=limits or Limits()) for n in names))
    random = np.random.default_rng(3)
    monitor = Monitor(plant, MonitoringSettings())
    monitor.fit(make_block(names, random.standard_normal((500, 12))))
    values = random.standard_normal((1000, 12))
    added = ramp(np.arange(1000))
    values[:, : added.shape[1] if added.ndim > 1 else 1] += added.reshape(1000, -1)
    monitor.update(make_block(names, values))
    return [alert for alert in monitor.alerts.all() if alert.kind == "trend"]


def after(row: np.ndarray, start: int, rate: float) -> np.ndarray:
    return np.maximum(row - start, 0) * rate


def test_noise_alone_has_no_trend() -> None:
    assert trends_of(lambda row: 0.0 * row) == []


def test_a_small_slope_without_a_limit_does_not_matter() -> None:
    assert trends_of(lambda row: after(row, 300, 0.002)) == []


def test_a_slope_that_leads_to_a_limit_is_told_before_the_limit_is_reached() -> None:
    alerts = trends_of(lambda row: after(row, 300, 0.01), Limits(low=-9, high=6.0))
    assert [alert.key for alert in alerts] == ["trend:T0:rising"]
    reached = 300 + 6.0 / 0.01
    assert 300 < row_of(alerts[0].start) < reached - 100
    assert "reaches its limit" in alerts[0].message


def test_many_tags_that_move_together_are_one_alert() -> None:
    alerts = trends_of(
        lambda row: np.repeat(after(row, 300, 0.01)[:, None], 9, axis=1), Limits(high=8.0)
    )
    group = [alert for alert in alerts if alert.key == "trend:plant"]
    assert len(group) == 1
    assert len(group[0].tags) > 5
    assert all(alert.start <= group[0].start for alert in alerts)
    assert all(not alert.active for alert in alerts if alert is not group[0])
