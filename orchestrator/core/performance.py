"""KPIs, balances, equipment and market of a situation, computed from the plant's own tags."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.plant.binned import BinnedMeans
from orchestrator.plant.expressions import Expression
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Balance, Equipment, Kpi, Plant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.modules.analysis.releases import Calendar

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TRADING_DAYS_OF_CHANGE = 5
TRADING_DAYS_OF_SCALE = 60
LEAST_COVERAGE = 0.5
SEASON_DAYS = 45
REPORT_IS_NEW = timedelta(hours=1)


class Performance:
    """Follows what the plant file defines over tags, and answers with what can be computed.

    Changes compare the mean of a window with the mean of the baseline before it (by default 24 h
    against 7 days). A value needs half of the samples that its window and baseline should hold;
    with fewer it is unknown and stays out of the answer.

    Args:
        plant: The plant file.
        calendar: Releases that are new market reports; without one only a tag tells of them.
        interval: Time between assessments; a release is new at one of them at least.
    """

    def __init__(
        self, plant: Plant, calendar: Calendar | None = None, interval: timedelta = timedelta(0)
    ) -> None:
        self._plant = plant
        self._calendar = calendar
        self._interval = interval
        self._kpis = {name: Expression.parse(kpi.expression) for name, kpi in plant.kpis.items()}
        self._health = {item.id: Expression.parse(item.health) for item in plant.equipment}
        market = plant.market
        self._market = {
            name: Expression.parse(text)
            for name in ("crude", "crack_spread", "product_stock", "report")
            if (text := getattr(market, name))
        }
        terms = {t.tag for b in plant.balances for t in (*b.inputs, *b.outputs)}
        hourly = {n for e in (*self._kpis.values(), *self._health.values()) for n in e.names}
        daily = {name for expression in self._market.values() for name in expression.names}
        hours = 24 * max([9.0, *(self._span_days(kpi) for kpi in plant.kpis.values())])
        hours = max(hours, *(24 * e.trend_days + 24 for e in plant.equipment), 0.0)
        self._hourly = BinnedMeans(sorted(hourly | terms | daily), HOUR, math.ceil(hours) + 2)
        self._daily = BinnedMeans(sorted(daily), DAY, 6 * 366)
        self._reported: tuple[float, datetime | None] = (math.nan, None)

    @staticmethod
    def _span_days(kpi: Kpi) -> float:
        return (kpi.change.window_hours + kpi.change.baseline_hours) / 24 if kpi.change else 0.0

    def update(self, block: SampleBlock) -> None:
        """Take in a block of samples."""
        self._hourly.update(block)
        self._daily.update(block)

    def kpis(self, at: datetime) -> dict[str, float]:
        """Each KPI that can be computed, and its change in % as ``…_change_pct``."""
        found: dict[str, float] = {}
        for name, expression in self._kpis.items():
            kpi = self._plant.kpis[name]
            _put(found, name, _evaluate(expression, self._hourly.pooled(at, 2)))
            if kpi.change is not None:
                _put(found, change_name(name), self._change(expression, kpi, at))
        return found

    def _change(self, expression: Expression, kpi: Kpi, at: datetime) -> float:
        change = kpi.change
        assert change is not None
        window, baseline = math.ceil(change.window_hours), math.ceil(change.baseline_hours)
        means = self._hourly.means(at, window + baseline)
        values = np.broadcast_to(np.asarray(expression.evaluate(means)), window + baseline)
        bins = max(1.0, self._period_hours(expression))
        recent, before = values[baseline:], values[:baseline]
        for part in (recent, before):
            if np.isfinite(part).sum() < LEAST_COVERAGE * len(part) / bins:
                return math.nan
        scale = (
            abs(np.nanmean(before))
            if change.relative_to == "baseline"
            else np.nanmean(np.abs(before))
        )
        return _ratio(100 * (np.nanmean(recent) - np.nanmean(before)), scale)

    def _period_hours(self, expression: Expression) -> float:
        known = self._plant.by_name
        periods = [known[n].period_seconds or 0.0 for n in expression.names if n in known]
        return max(periods, default=0.0) / 3600

    def balance_error_pct(self, at: datetime) -> float | None:
        """(in − out) / in of the balance that closes worst, over the last hour or two, in %."""
        means = self._hourly.pooled(at, 2)
        errors = [error for b in self._plant.balances if math.isfinite(error := _error(b, means))]
        return max(errors, key=abs) if errors else None

    def equipment(self, at: datetime) -> Iterator[dict[str, Any]]:
        """Health and its least-squares trend a day of each piece whose health can be computed."""
        for item in self._plant.equipment:
            expression = self._health[item.id]
            health = _evaluate(expression, self._hourly.pooled(at, 2))
            if math.isfinite(health):
                facts: dict[str, Any] = {"id": item.id, "kind": item.kind or None, "health": health}
                _put(facts, "trend_per_day", self._trend(item, expression, at))
                yield facts

    def _trend(self, item: Equipment, expression: Expression, at: datetime) -> float:
        count = math.ceil(24 * item.trend_days)
        values = np.asarray(expression.evaluate(self._hourly.means(at, count)), dtype=float)
        known = np.flatnonzero(np.isfinite(values)) if values.ndim else np.array([])
        expected = count / max(1.0, self._period_hours(expression))
        if len(known) < max(3.0, LEAST_COVERAGE * expected):
            return math.nan
        return float(np.polyfit(known / 24.0, values[known], 1)[0])

    def market(self, at: datetime) -> dict[str, Any]:
        """Market fields over trading days (Monday to Friday)."""
        facts: dict[str, Any] = {}
        if "crude" in self._market:
            crude = self._trading_days("crude", at)
            if len(crude) >= 2:
                _put(facts, "crude_change_pct", _ratio(100 * (crude[-1] - crude[-2]), crude[-2]))
        if "crack_spread" in self._market:
            spread = self._trading_days("crack_spread", at)[-TRADING_DAYS_OF_SCALE:]
            if len(spread) > max(TRADING_DAYS_OF_CHANGE, LEAST_COVERAGE * TRADING_DAYS_OF_SCALE):
                moved = spread[-1] - spread[-1 - TRADING_DAYS_OF_CHANGE]
                scale = float(np.mean(np.abs(spread)))
                _put(facts, "crack_spread_change_pct", _ratio(100 * moved, scale))
        if "product_stock" in self._market:
            _put(facts, "product_stock_zscore", self._seasonal_score(at))
        facts["new_report"] = self.new_report(at)
        return {name: value for name, value in facts.items() if value is not None}

    def new_report(self, at: datetime) -> bool | None:
        """Whether a market report came, by its tag or by the calendar; ``None`` where neither tells."""
        by_tag = self._report_is_new(at) if "report" in self._market else None
        if self._calendar is None:
            return by_tag
        return bool(self._calendar.new_at(at, self._interval)) or bool(by_tag)

    def _by_day(self, name: str, at: datetime) -> NDArray[np.float64]:
        means = self._daily.means(at, self._daily.bins)
        values = np.asarray(self._market[name].evaluate(means), dtype=float)
        return np.array(np.broadcast_to(values, self._daily.bins))

    def _trading_days(self, name: str, at: datetime) -> NDArray[np.float64]:
        values = self._by_day(name, at)
        weekday = (at.weekday() - np.arange(len(values) - 1, -1, -1)) % 7
        known = values[(weekday < 5) & np.isfinite(values)]
        return known[-TRADING_DAYS_OF_SCALE - 1 :]

    def _seasonal_score(self, at: datetime) -> float:
        """Stock against the same season of earlier years, in standard deviations."""
        values = self._by_day("product_stock", at)
        age = np.arange(len(values) - 1, -1, -1)
        from_season = np.abs((age + 183) % 365.25 - 183)
        season = values[(age > 365 - SEASON_DAYS) & (from_season <= SEASON_DAYS)]
        season = season[np.isfinite(season)]
        known = values[np.isfinite(values)]
        if len(season) < SEASON_DAYS // 7 or not len(known):
            return math.nan
        return _ratio(float(known[-1] - season.mean()), float(season.std(ddof=1)))

    def _report_is_new(self, at: datetime) -> bool | None:
        value = _evaluate(self._market["report"], self._hourly.pooled(at, 1))
        before, changed_at = self._reported
        if math.isfinite(value) and value != before:
            changed_at = at if math.isfinite(before) else None
            self._reported = (value, changed_at)
        if not math.isfinite(self._reported[0]):
            return None
        return changed_at is not None and at - changed_at < REPORT_IS_NEW


def change_name(kpi: str) -> str:
    """Name of a KPI's change: ``margin_usd_per_bbl`` -> ``margin_change_pct``."""
    stem = kpi.partition("_usd")[0] if "_usd" in kpi else kpi
    return f"{stem}_change_pct"


def _error(balance: Balance, means: Mapping[str, float]) -> float:
    into = sum(term.factor * means.get(term.tag, math.nan) for term in balance.inputs)
    out = sum(term.factor * means.get(term.tag, math.nan) for term in balance.outputs)
    return _ratio(100 * (into - out), abs(into))


def _evaluate(expression: Expression, values: Mapping[str, float]) -> float:
    return float(np.asarray(expression.evaluate(values)))


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator else math.nan


def _put(facts: dict[str, Any], name: str, value: float) -> None:
    if math.isfinite(value):
        facts[name] = float(value)
