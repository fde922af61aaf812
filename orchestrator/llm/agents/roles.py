"""Who sits at the table, and what each may propose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

NEAR = 0.9
"""Share of a shipped rule's threshold from which a stand-in speaks up."""


@dataclass(frozen=True, slots=True)
class Role:
    """One agent.

    Attributes:
        name: How the record calls it.
        task: What it looks at, as its prompt says.
        operations: What it may propose.
    """

    name: str
    task: str
    operations: tuple[str, ...]


ROLES = (
    Role(
        "market analyst",
        "What did crude prices, cracks, stocks and demand do, and does the plan still fit the market?",
        (
            "analysis.market",
            "analysis.prices",
            "analysis.cracks",
            "analysis.stocks",
            "analysis.demand",
            "optimization.plan",
        ),
    ),
    Role(
        "forecaster",
        "Which values will leave their range, how sure is that, and which forecast would tell?",
        (
            "forecasting.forecast",
            "forecasting.explain",
            "forecasting.soft_sensor",
            "forecasting.backtest",
        ),
    ),
    Role(
        "operator",
        "Does the running unit lose money or quality, and would other set points help now?",
        (
            "optimization.setpoints",
            "optimization.what_if",
            "optimization.sensitivity",
            "optimization.blend",
        ),
    ),
    Role(
        "reliability",
        "Which equipment and which measurements cannot be relied on, and what must be checked first?",
        ("forecasting.time_to_limit", "etl.validate", "etl.reconcile", "etl.clean"),
    ),
)
"""The safety agent has no prompt, and so no role here; the coordinator decides over all operations."""
COORDINATOR = "coordinator"
SAFETY = "safety"


def stand_in(role: Role, facts: Mapping[str, Any], selected: Iterable[str]) -> dict[str, str]:
    """What a role proposes without a model: the policy's own, and what nearly calls for it; with reasons."""
    proposals = {name: "the rules select it" for name in selected if name in role.operations}
    for name, reason in _noticed(facts):
        if name in role.operations:
            proposals.setdefault(name, reason)
    return proposals


def _noticed(facts: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Facts within a tenth of the thresholds of the shipped rules."""
    kpis, market = facts.get("kpis", {}), facts.get("market", {})
    for part, field, threshold, operation in (
        (kpis, "margin_change_pct", -2.0, "optimization.setpoints"),
        (kpis, "energy_index_change_pct", 2.0, "optimization.setpoints"),
        (market, "crude_change_pct", 3.0, "analysis.market"),
        (market, "crack_spread_change_pct", 5.0, "analysis.market"),
    ):
        value = part.get(field)
        if not isinstance(value, int | float):
            continue
        beyond = value / threshold if part is kpis else abs(value) / threshold
        if beyond >= NEAR:
            yield operation, f"{field} is {value:g}, its rule acts at {threshold:g}"
    for item in facts.get("equipment", ()):
        health = item.get("health")
        if isinstance(health, int | float) and health <= 0.7 / NEAR:
            yield (
                "forecasting.time_to_limit",
                f"health of {item.get('id', 'equipment')} is {health:g}",
            )
    error = facts.get("data_quality", {}).get("balance_error_pct")
    if isinstance(error, int | float) and abs(error) >= 2.0 * NEAR:
        yield "etl.reconcile", f"the balance error is {error:g} %"
    for alert in facts.get("alerts", ()):
        if alert.get("kind") in ("frozen", "drift"):
            yield "etl.validate", f"an alert of kind {alert['kind']} is open"
