"""Shadow prices of the example refineries: what moving a limit really earns, by solving again."""

from pathlib import Path

import pytest

from orchestrator.modules.optimization.refinery.loading import load_model

EXAMPLES = Path(__file__).resolve().parents[4] / "examples" / "refinery"


@pytest.mark.parametrize("name", ["textbook", "topping", "conversion"])
def test_a_shadow_price_is_what_moving_the_limit_earns(solved, moved, name):
    """Limits are moved up and down: the price lies between the two slopes, and is exact where they agree."""
    model = load_model(EXAMPLES / f"{name}.yaml")
    base = solved(model)
    assert base.status == "optimal"
    assert base.binding
    # Every third of a long list, which is sorted by what the limits cost.
    tried = base.binding[:: 3 if len(base.binding) > 20 else 1]
    exact = 0
    for limit in tried:
        step = 1e-4 * max(abs(limit.bound), 1e-3)
        if limit.key.endswith(("closing.min", "closing.max")) and limit.side == "equal":
            continue
        up = (solved(moved(model, limit, step)).objective - base.objective) / step
        down = (base.objective - solved(moved(model, limit, -step)).objective) / step
        noise = 1e-6 * abs(base.objective) / step * 1e-2 + 2e-3 * abs(limit.shadow_price)
        assert min(up, down) - noise <= limit.shadow_price <= max(up, down) + noise, limit
        exact += abs(up - down) <= noise
    assert exact >= len(tried) // 2


def test_a_range_is_where_the_price_holds(solved, moved):
    model = load_model(EXAMPLES / "textbook.yaml")
    base = solved(model)
    ranged = [
        item for item in base.binding if item.to_bound is not None and item.from_bound is not None
    ]
    assert ranged
    for limit in ranged:
        for end in (limit.from_bound, limit.to_bound):
            inside = 0.999 * (end - limit.bound)
            gain = solved(moved(model, limit, inside)).objective - base.objective
            assert gain == pytest.approx(limit.shadow_price * inside, rel=1e-6, abs=1e-6)
            beyond = 1.2 * (end - limit.bound)
            if limit.bound + beyond < 0:
                continue
            gain = solved(moved(model, limit, beyond)).objective - base.objective
            # The margin is concave in a bound: past the range it gains less than the price says.
            assert gain <= limit.shadow_price * beyond + 1e-6
