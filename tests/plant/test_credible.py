"""One definition of what an instrument can credibly read, for the live monitor and for validation."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from orchestrator.config import MonitoringSettings
from orchestrator.modules.etl.quality import out_of_range
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.credible import credible_range
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Limits, Plant, Tag

FLOW = Tag(name="F", unit="t/h", kind="flow", normal=(540, 630), period_seconds=60)


@pytest.mark.parametrize(
    ("tag", "low", "high"),
    [
        (Tag(name="X"), -inf, inf),
        (Tag(name="P", kind="pressure", normal=(100, 120)), 80, 140),
        (Tag(name="P", normal=(100, 120), limits=Limits(low=70, high=150)), 60, 160),
        (FLOW, -31.5, 720),
        (Tag(name="L", unit="percent", kind="level", normal=(20, 80)), -5, 105),
        (Tag(name="T", unit="degC", kind="temperature"), -273.15, inf),
    ],
)
def test_the_range_knows_limits_and_physical_ends(tag: Tag, low: float, high: float) -> None:
    assert credible_range(tag) == (low, high)


@pytest.mark.parametrize("value", [0.0, 585.0, 719.0, 721.0, -40.0])
def test_monitor_and_validation_judge_a_value_alike(value: float) -> None:
    values = np.full((5, 1), value) + np.arange(5)[:, None] * 0.01
    times = np.datetime64("2026-03-01T00:00", "us") + np.arange(5) * np.timedelta64(60, "s")
    monitor = Monitor(Plant(name="unit", tags=(FLOW,)), MonitoringSettings())
    monitor.update(SampleBlock(("F",), times, values, np.zeros((5, 1), np.uint8)))
    found = monitor.quality().tags.get("F")
    live = found is not None and any("out of range" in reason for reason in found.reasons)
    mask, _ = out_of_range(values[:, 0], FLOW)
    assert live == bool(mask.any())
