"""Two simulated days of supervised optimization; ``python -m benchmarks twin_optimization`` runs ten."""

import pytest

from benchmarks.twin_optimization import outcome


@pytest.mark.timeout(170)
def test_two_days_earn_more_and_break_nothing():
    found = outcome(11, days=2)
    assert found.optimized.margin > found.fixed.margin
    assert found.best.margins.mean() > found.optimized.margin
    assert found.best.infeasible == 0
    assert found.moves > 0
    assert not found.optimized.hard
    assert not found.optimized.off
    assert found.optimized.on_time == found.optimized.on_mass == 1.0
