"""What a right selection is, written out a second time, row by row and gate by gate.

It shares no code, no expression language and no data structure with the engine, so that a slip in
either shows as a difference.
"""

from __future__ import annotations

from typing import Any

NEEDS_QUALITY = {"forecasting": 0.70, "optimization": 0.85}
MEDIUM_OR_WORSE = ("medium", "high", "critical")


def known(block: Any, key: str) -> Any:
    return block.get(key) if isinstance(block, dict) else None


def rows_that_hold(s: dict[str, Any]) -> list[tuple[int, str]]:
    """Row number and operation, for every row of the table that holds."""
    hold: list[tuple[int, str]] = []
    kpis, market = s.get("kpis"), s.get("market")

    margin, energy = known(kpis, "margin_change_pct"), known(kpis, "energy_index_change_pct")
    deviation = known(kpis, "yield_deviation_pct")
    row_3 = False
    if margin is not None and margin <= -2:
        row_3 = True
    if energy is not None and energy >= 2:
        row_3 = True
    if deviation is not None and not -1.5 < deviation < 1.5:
        row_3 = True
    if row_3:
        hold.append((3, "optimization.setpoints"))

    crude, crack = known(market, "crude_change_pct"), known(market, "crack_spread_change_pct")
    stocks = known(market, "product_stock_zscore")
    crack_moved = crack is not None and not -5 < crack < 5
    crude_moved = crude is not None and not -3 < crude < 3
    stocks_odd = stocks is not None and not -2 < stocks < 2
    if crude_moved or crack_moved or stocks_odd or known(market, "new_report") is True:
        hold.append((4, "analysis.market"))
    if crack_moved:
        hold.append((5, "optimization.plan"))

    for item in s.get("equipment") or []:
        health, trend = item.get("health"), item.get("trend_per_day")
        if (health is not None and health <= 0.7) or (trend is not None and trend <= -0.01):
            hold.append((6, "forecasting.time_to_limit"))
        if health is not None and health <= 0.5:
            hold.append((7, "optimization.setpoints"))

    for alert in s.get("alerts") or []:
        kind, severity = alert.get("kind"), alert.get("severity") or "medium"
        if kind in ("anomaly", "trend") and severity in MEDIUM_OR_WORSE:
            hold.append((8, "forecasting.forecast"))
        if kind in ("frozen", "drift"):
            hold.append((9, "etl.validate"))
        if kind == "limit" and severity in ("high", "critical"):
            hold.append((10, "optimization.setpoints"))
        if kind == "predicted_limit" and severity in MEDIUM_OR_WORSE:
            hold.append((10, "optimization.setpoints"))

    starts = known(s.get("maintenance"), "window_starts_in_minutes")
    if known(s.get("maintenance"), "window_active") is True or (
        starts is not None and 0 <= starts <= 60
    ):
        hold.append((11, "optimization.plan"))

    forecasting = known(s.get("modules"), "forecasting")
    if forecasting is not None:
        age = forecasting.get("last_success_minutes")
        if age is None or age > 1440:
            hold.append((12, "forecasting.forecast"))

    imbalance = known(s.get("data_quality"), "balance_error_pct")
    if imbalance is not None and abs(imbalance) >= 2:
        hold.append((13, "etl.reconcile"))
    return hold


def may_start(operation: str, s: dict[str, Any]) -> bool:
    """Gates 2 and 3."""
    facts = known(s.get("modules"), operation.split(".", maxsplit=1)[0]) or {}
    if facts.get("enabled") is False:
        return False
    if (facts.get("in_flight") or 0) <= 0:
        return True
    running = facts.get("running")
    return running is not None and operation not in running


def good_enough(module: str, s: dict[str, Any]) -> bool:
    """Gate 4."""
    if module not in NEEDS_QUALITY:
        return True
    given = {k: v for k, v in (s.get("data_quality") or {}).items() if v is not None}
    if not given:
        return True
    return "score" in given and given["score"] >= NEEDS_QUALITY[module]


def select(s: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The operations selected, and those of them that are deferred."""
    mode = s.get("plant_mode")
    if mode == "emergency" or mode == "shutdown":
        return set(), set()
    named_by: dict[str, set[int]] = {}
    for row, operation in rows_that_hold(s):
        module = operation.split(".")[0]
        if module == "optimization" and mode != "steady":
            continue
        if not may_start(operation, s):
            continue
        if not good_enough(module, s):
            operation = "etl.validate"
            if not may_start(operation, s):
                continue
        named_by.setdefault(operation, set()).add(row)
    free = [known(s.get("resources"), k) for k in ("cpu_free_share", "memory_free_share")]
    scarce = any(share is not None and share < 0.10 for share in free)
    deferred = {
        operation for operation, rows in named_by.items() if scarce and not rows & {3, 7, 9, 10}
    }
    return set(named_by), deferred
