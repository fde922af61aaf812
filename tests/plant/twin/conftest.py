"""Scenarios without noise, weather and market movement, and runs of them."""

from datetime import timedelta

import numpy as np
import pytest

from orchestrator.plant.twin.scenario import Fault, Scenario
from orchestrator.plant.twin.source import TwinSource


def _quiet(*faults: dict, **changes) -> Scenario:
    made = tuple(Fault(**{"name": f"fault {i}", **item}) for i, item in enumerate(faults))
    values = {
        "name": "trial",
        "warm_up_hours": 0,
        "price_history_days": 0,
        "noise": 0,
        "disturbance": 0,
    }
    return Scenario(**{**values, **changes, "faults": made})


def _run(source: TwinSource, hours: float):
    true, measured = [], []
    rows = 0
    for actual, shown in source.truth(timedelta(hours=1)):
        true.append(actual.values)
        measured.append(shown.values)
        rows += len(shown)
        if rows >= hours * 60:
            break
    tags = source.plant.tag_names
    return tuple(
        dict(zip(tags, np.vstack(part)[: int(hours * 60)].T, strict=True))
        for part in (true, measured)
    )


@pytest.fixture
def quiet():
    """``quiet(*faults, **changes)``: a scenario in which nothing moves but what it names."""
    return _quiet


@pytest.fixture
def run():
    """``run(source, hours)``: true and measured values by tag."""
    return _run
