"""``setpoints`` called again and again on a running plant whose data it reads."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from orchestrator.modules.optimization.models import SetpointsInput
from orchestrator.modules.optimization.setpoints import run
from orchestrator.plant.tags import Plant

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PLANT = Plant.model_validate(
    {
        "tags": [
            {"name": "x", "unit": "t/h", "normal": [0, 10], "rate_limit": 0.1},
            {"name": "y", "unit": "t/h", "normal": [0, 10], "rate_limit": 0.1},
            {"name": "t", "unit": "degC", "normal": [0, 20], "limits": {"high": 12.5}},
            {"name": "made", "unit": "t/h", "normal": [0, 100]},
        ],
        "economics": {
            "handles": {"x": [0, 10], "y": [0, 10]},
            "responses": {"t": "x + y", "made": "8 * x + 6 * y - 0.4 * x * x - 0.4 * y * y"},
            "objective": "made",
        },
    }
)


def truth(x, y):
    """The plant: the limit on t holds it back, elsewhere than the model has it."""
    return {"t": 1.3 * x + 0.8 * y + 1.0, "made": 4 * x + 8 * y - 0.2 * x * x - 0.5 * y * y}


def hour(context_for, folder, at, number, spread=0.0):
    """A context over one hour of data at handles ``at``, in plant hour ``number``."""
    random = np.random.default_rng(number)
    rows, end = 61, NOW + timedelta(hours=number)
    level = {**at, **truth(at["x"], at["y"])}
    columns = {"time": [end - timedelta(minutes=60 - m) for m in range(rows)]}
    columns |= {
        name: value + (spread if name in ("t", "made") else 0.0) * random.standard_normal(rows)
        for name, value in level.items()
    }
    return context_for(columns, plant=PLANT, now=end, folder=folder)


def run_hours(context_for, folder, hours, spread=0.0, **parameters):
    """The last hour is without probing."""
    at, results = {"x": 2.0, "y": 2.0}, []
    for number in range(hours):
        context = hour(context_for, folder, at, number, spread)
        asked = SetpointsInput(**parameters)
        if number == hours - 1:
            asked = asked.model_copy(update={"probing": False})
        results.append(run(asked, context))
        at = at | {move.tag: move.to for move in results[-1].moves}
    return at, results


GRID = [(x, y) for x in np.linspace(0, 10, 201) for y in np.linspace(0, 10, 201)]
BEST = max(truth(x, y)["made"] for x, y in GRID if truth(x, y)["t"] <= 12.5)


def test_hour_by_hour_it_comes_to_the_plant_s_own_optimum(context_for, tmp_path):
    at, results = run_hours(context_for, tmp_path, 10, probing=True)
    reached = truth(at["x"], at["y"])
    assert reached["made"] >= 0.99 * BEST
    assert reached["t"] <= 12.5 + 0.02
    assert results[-1].points > 4
    # What the model knows of the slope by then: the plant's, at where it is.
    assert results[-1].modifiers["t"].first["x"] == pytest.approx(0.3, abs=0.1)
    forgetful, _ = run_hours(context_for, tmp_path / "other", 10, adapt=False)
    assert truth(forgetful["x"], forgetful["y"])["made"] < 0.99 * BEST


def test_a_limit_is_kept_from_by_what_its_tag_varies(context_for, tmp_path):
    at, results = run_hours(context_for, tmp_path, 8, spread=0.4, probing=True)
    back_off = results[-1].back_offs[0]
    assert (back_off.limit, back_off.side, back_off.bound) == ("t", "max", 12.5)
    assert back_off.by == pytest.approx(1.645 * 0.4, rel=0.35)
    assert truth(at["x"], at["y"])["t"] <= 12.5 - 0.5 * back_off.by
    assert results[-1].expected["t"].to <= 12.5 - back_off.by + 1e-4
    assert not results[-1].conflicts
    exact = hour(context_for, tmp_path / "other", {"x": 5.0, "y": 5.0}, 0)
    assert run(SetpointsInput(), exact).back_offs == ()


def test_nothing_is_learned_while_the_unit_moves(context_for, tmp_path):
    context = hour(context_for, tmp_path, {"x": 2.0, "y": 2.0}, 0)
    table = context.table().to_pydict()
    table["t"] = [value + 0.2 * i for i, value in enumerate(table["t"])]
    moving = context_for(table, plant=PLANT, now=NOW, folder=tmp_path)
    result = run(SetpointsInput(), moving)
    assert any("not steady (t)" in text for text in result.warnings)
    assert not list(tmp_path.rglob("*.json"))


def test_the_worth_has_an_interval_and_no_probing_is_done_unasked(context_for, tmp_path):
    _, results = run_hours(context_for, tmp_path, 4, spread=0.4)
    assert all(result.kind != "probe" for result in results)
    first = results[0]
    low, high = first.worth_interval
    assert low < first.worth_usd_per_day < high
    assert 0.5 < first.chance_of_gain <= 1.0
    assert first.path[-1].at_minutes == pytest.approx(first.path_minutes, abs=1e-3)


def test_what_is_supposed_is_not_remembered(context_for, tmp_path):
    context = hour(context_for, tmp_path, {"x": 2.0, "y": 2.0}, 0)
    run(SetpointsInput(current={"made": 99.0}), context)
    assert not list(tmp_path.rglob("*.json"))
    run(SetpointsInput(), context)
    assert len(list(tmp_path.rglob("*.json"))) == 1
