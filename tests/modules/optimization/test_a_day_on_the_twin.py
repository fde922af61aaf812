"""A simulated day of supervised optimization; ``python -m benchmarks twin_optimization`` runs ten."""

import pytest

from benchmarks.twin_optimization import outcome


@pytest.mark.timeout(600)
def test_a_day_earns_more_and_breaks_nothing():
    found = outcome(11, days=1)
    assert found.optimized.margin > found.fixed.margin
    assert found.best.margins.mean() > found.optimized.margin
    assert found.best.infeasible == 0
    assert found.moves > 0
    assert not found.optimized.hard
    assert not found.optimized.off
    assert found.optimized.on_time == found.optimized.on_mass == 1.0
