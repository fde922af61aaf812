"""Policy decisions in process, on a plant with 50 alerts and 50 pieces of equipment and on a usual one.

The reference is reading the same situation from JSON (``json.loads`` and pydantic validation), which
any service would do at least. Every situation is drawn anew; only kinds and severities of alerts recur.
Every figure is the median of five rounds, in which decisions and reference take turns. Times are
processor time of this thread: a decision waits for nothing, so that is its latency on a machine which
has nothing else to do.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from orchestrator.config import Settings
from orchestrator.core.decision_engine import DecisionEngine
from orchestrator.core.situation import Situation
from orchestrator.modules.registry import load_registry

SITUATIONS = 1000
ROUNDS = 5
MOST_P99_MS = 2.0
LEAST_PER_MINUTE = 60_000
LARGE, USUAL = 50, 3
KINDS = ("anomaly", "limit", "trend", "drift", "frozen", "predicted_limit")
SEVERITIES = ("low", "medium", "high", "critical")
MODULES = ("etl", "forecasting", "analysis", "optimization")


def run() -> dict[str, Any]:
    """Latencies, rates, and ratios to the reference."""
    engine = DecisionEngine(Settings(), load_registry())
    figures: dict[str, Any] = {}
    for name, size in (("usual", USUAL), ("large", LARGE)):
        draw = random.Random(size)
        texts = [json.dumps(_situation(draw, size)) for _ in range(SITUATIONS)]
        situations = [Situation.model_validate_json(text) for text in texts]
        rounds = [_round(engine, situations, texts) for _ in range(ROUNDS)]
        figures |= {
            f"{name}: {what}": statistics.median(one[what] for one in rounds) for what in rounds[0]
        }
    figures["within budget"] = (
        figures["large: decision, p99 ms"] < MOST_P99_MS
        and figures["large: decisions a minute"] >= LEAST_PER_MINUTE
    )
    return figures


def _round(
    engine: DecisionEngine, situations: list[Situation], texts: list[str]
) -> dict[str, float]:
    decisions = _seconds(engine.decide, situations)
    stored = _seconds(lambda s: engine.decide(s).model_dump_json(), situations)
    reading = _seconds(lambda text: Situation.model_validate(json.loads(text)), texts)
    return {
        "decision, median ms": statistics.median(decisions) * 1000,
        "decision, p99 ms": statistics.quantiles(decisions, n=100)[98] * 1000,
        "decisions a minute": 60 / statistics.fmean(decisions),
        "decisions a minute, to JSON": 60 / statistics.fmean(stored),
        "reference (json.loads, validation), median ms": statistics.median(reading) * 1000,
        "decision / reference": statistics.median(decisions) / statistics.median(reading),
    }


def _seconds(work: Callable[[Any], object], inputs: list[Any]) -> list[float]:
    taken = []
    for item in inputs:
        start = time.thread_time()
        work(item)
        taken.append(time.thread_time() - start)
    return taken


def _situation(draw: random.Random, size: int) -> dict[str, Any]:
    """A random situation of a steady plant; about half of the rules hold."""
    return {
        "timestamp": "2026-03-01T06:00:00Z",
        "plant_mode": "steady",
        "data_quality": {"score": draw.uniform(0.8, 1), "balance_error_pct": draw.uniform(-3, 3)},
        "kpis": {
            "margin_usd_per_bbl": draw.uniform(4, 10),
            "margin_change_pct": draw.uniform(-4, 4),
            "energy_index_change_pct": draw.uniform(-4, 4),
            "yield_deviation_pct": draw.uniform(-3, 3),
        },
        "alerts": [
            {
                "tag": f"11TI{number:03}",
                "kind": draw.choice(KINDS),
                "severity": draw.choice(SEVERITIES),
                "age_minutes": draw.uniform(0, 100),
            }
            for number in range(size)
        ],
        "equipment": [
            {
                "id": f"E-{number}",
                "kind": "exchanger",
                "health": draw.uniform(0.3, 1),
                "trend_per_day": draw.uniform(-0.02, 0),
            }
            for number in range(size)
        ],
        "market": {
            "crude_change_pct": draw.uniform(-6, 6),
            "crack_spread_change_pct": draw.uniform(-10, 10),
            "product_stock_zscore": draw.uniform(-3, 3),
            "new_report": draw.random() < 0.5,
        },
        "modules": {
            name: {"enabled": True, "in_flight": 0, "last_success_minutes": draw.uniform(0, 2000)}
            for name in MODULES
        },
        "resources": {"cpu_free_share": draw.random(), "memory_free_share": draw.random()},
        "maintenance": {"window_active": False, "window_starts_in_minutes": draw.uniform(-50, 500)},
    }
