from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from orchestrator.errors import ParameterError
from orchestrator.plant.expressions import Expression
from orchestrator.plant.samples import Quality
from orchestrator.plant.twin.process import DRUM_CAPACITY, INTO, LEVEL_CAPACITY, OUT
from orchestrator.plant.twin.scenario import Scenario
from orchestrator.plant.twin.source import TwinSource

HOUR = timedelta(hours=1)


def test_at_steady_state_the_true_mass_balance_closes_to_rounding(quiet, run):
    true, _ = run(TwinSource(quiet()), 3)
    into, out = (sum(true[tag] for tag in tags) for tags in (INTO, OUT))
    assert out == pytest.approx(into, rel=1e-12)


def test_off_steady_state_what_is_missing_is_held_in_the_column(quiet, run):
    scenario = quiet(
        {"kind": "pump_trip", "target": "P-101", "magnitude": 0.3, "onset_minutes": 30}
    )
    true, _ = run(TwinSource(scenario), 5)
    imbalance = sum(true[tag] for tag in INTO) - sum(true[tag] for tag in OUT)
    held = true["LI201"] / 100 * LEVEL_CAPACITY + true["LI210"] / 100 * DRUM_CAPACITY
    assert np.diff(held) * 60 == pytest.approx(imbalance[1:], abs=1e-7)
    assert imbalance[40] < -1
    assert abs(imbalance[-1]) < 1
    assert (np.abs(true["LI201"] - 50) < 25).all()


def test_the_same_seed_gives_the_same_samples_however_they_are_cut():
    scenario = Scenario(name="trial", warm_up_hours=5, price_history_days=0)
    first, second = TwinSource(scenario, seed=7), TwinSource(scenario, seed=7)
    one = np.vstack([b.values for b in first.history(timedelta(minutes=7))])
    two = np.vstack([b.values for b in second.history(timedelta(days=1))])
    # Prices are rounded to cents, so that a difference in the last bit may show as one cent.
    assert one == pytest.approx(two, abs=0.0101, nan_ok=True)
    other = np.vstack([b.values for b in TwinSource(scenario, seed=8).history()])
    assert np.nanmax(np.abs(one - other)) > 1


def test_history_ends_where_the_paced_part_begins_and_nothing_is_left_out(quiet):
    source = TwinSource(quiet(warm_up_hours=30))
    history = list(source.history())
    times = np.concatenate([block.times for block in history])
    assert len(times) == 30 * 60
    assert (np.diff(times) == np.timedelta64(60, "s")).all()
    paced = next(source.blocks(HOUR))
    assert paced.start == source.start
    assert paced.start - history[-1].end == timedelta(minutes=1)


def test_a_history_that_is_not_taken_is_passed_over():
    scenario = Scenario(name="trial", warm_up_hours=3, price_history_days=5)
    taken, untaken = TwinSource(scenario), TwinSource(scenario)
    list(taken.history())
    first, second = next(taken.blocks(HOUR)), next(untaken.blocks(HOUR))
    assert first.start == second.start == scenario.start
    assert first.values == pytest.approx(second.values, abs=0.0101, nan_ok=True)


@pytest.mark.parametrize("minutes", [1, 7, 60])
def test_no_block_crosses_the_epoch_grid(quiet, minutes):
    span = timedelta(minutes=minutes)
    start = datetime(2026, 3, 3, 5, 3, 20, tzinfo=UTC)
    source = TwinSource(quiet(warm_up_hours=3, price_history_days=4), start=start)
    paced = [block for block, _ in zip(source.blocks(span), range(20), strict=False)]
    source = TwinSource(quiet(warm_up_hours=3, price_history_days=4), start=start)
    for blocks in (list(source.history(span)), paced):
        numbers = []
        for block in blocks:
            inside = {int(t) // (minutes * 60_000_000) for t in block.times.astype("int64")}
            assert len(inside) == 1
            numbers.append(inside.pop())
        assert numbers == sorted(set(numbers))


def test_daily_prices_before_the_warm_up_join_it_without_a_jump():
    source = TwinSource(Scenario(name="trial", warm_up_hours=24, price_history_days=60))
    blocks = list(source.history())
    column = source.plant.tag_names.index("PR_DIESEL")
    before = [block for block in blocks if block.quality[0, 0] == Quality.NONE]
    prices = np.concatenate([block.values[:, column] for block in before])
    daily = prices[np.isfinite(prices)]
    assert len(daily) == 60
    assert before[-1].end < source.start - timedelta(hours=24)
    first = blocks[len(before)].values[0, column]
    assert abs(daily[-1] - first) < 3


def test_normal_operation_raises_no_limit_and_closes_its_balance():
    source = TwinSource(Scenario(name="trial", warm_up_hours=48, price_history_days=0), seed=3)
    block = np.vstack([part.values for part in source.history()])
    for i, tag in enumerate(source.plant.tags):
        if not np.isfinite(block[:, i]).any():
            continue
        low = -np.inf if tag.limits.low is None else tag.limits.low
        high = np.inf if tag.limits.high is None else tag.limits.high
        known = block[np.isfinite(block[:, i]), i]
        assert ((known > low) & (known < high)).all(), tag.name
        if tag.rate_limit is not None:
            assert np.abs(np.diff(known)).max() < tag.rate_limit, tag.name
    tags = source.plant.tag_names
    into, out = (sum(block[:, tags.index(t)] for t in names) for names in (INTO, OUT))
    assert abs((into - out).mean()) < 0.5


def test_the_plant_file_s_expressions_have_values_near_design(quiet, run):
    source = TwinSource(quiet())
    true, _ = run(source, 2)
    values = {tag: float(column[-1]) for tag, column in true.items()}
    plant = source.plant
    found = {k: Expression.parse(kpi.expression).evaluate(values) for k, kpi in plant.kpis.items()}
    assert 5 < found["margin_usd_per_bbl"] < 10
    assert found["energy_index"] == pytest.approx(100, abs=0.5)
    assert abs(found["yield_deviation_pct"]) < 0.2
    health = {e.id: Expression.parse(e.health).evaluate(values) for e in plant.equipment}
    assert health["E-101"] == pytest.approx(1.0, abs=0.01)
    assert 0.9 < health["H-101"] <= 1
    assert plant.market.crack_spread is not None
    assert Expression.parse(plant.market.crack_spread).evaluate(values) > 10


def test_meter_bias_moves_the_reading_and_not_the_plant(quiet, run):
    scenario = quiet(
        {
            "kind": "meter_bias",
            "target": "FI306",
            "magnitude": -25,
            "onset_minutes": 30,
            "duration_minutes": 30,
        }
    )
    true, shown = run(TwinSource(scenario), 2)
    error = shown["FI306"] - true["FI306"]
    assert error[29:31].tolist() == pytest.approx([0, -25])
    assert error[59:61].tolist() == pytest.approx([-25, 0])
    assert np.ptp(true["FI306"]) < 1e-9


def test_a_frozen_signal_repeats_its_last_value_across_blocks(quiet, run):
    scenario = quiet(
        {"kind": "frozen_signal", "target": "TI203", "onset_minutes": 50, "duration_minutes": 90},
        noise=1,
    )
    _, shown = run(TwinSource(scenario), 4)
    signal = shown["TI203"]
    assert (signal[49:140] == signal[49]).all()
    assert np.unique(signal[:50]).size == 50
    assert signal[140] != signal[139]


def test_a_missing_signal_is_no_sample(quiet):
    scenario = quiet({"kind": "missing_signal", "target": "AI303", "onset_minutes": 10})
    block = next(TwinSource(scenario).blocks(HOUR))
    column = block.tags.index("AI303")
    assert (block.quality[10:, column] == Quality.NONE).all()
    assert np.isnan(block.values[10:, column]).all()
    assert (block.quality[:10, column] == Quality.GOOD).all()


def test_fouling_shows_in_the_health_of_the_exchanger(quiet, run):
    scenario = quiet(
        {
            "kind": "exchanger_fouling",
            "target": "E-101",
            "magnitude": 0.5,
            "onset_minutes": 10,
            "shape": "ramp",
            "rise_minutes": 60,
        }
    )
    source = TwinSource(scenario)
    true, _ = run(source, 5)
    health = Expression.parse(source.plant.equipment[0].health).evaluate(true)
    assert health[0] == pytest.approx(1, abs=0.01)
    assert health[-1] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("fault", "tag", "sign"),
    [
        ({"kind": "pump_trip", "target": "P-103", "magnitude": 0.6}, "TI131", 1),
        ({"kind": "burner_fault", "target": "H-101", "magnitude": 2}, "FI130", 1),
        ({"kind": "crude_switch", "target": "heavy"}, "FI306", 1),
        ({"kind": "price_shock", "target": "PR_DIESEL", "magnitude": -8}, "PR_DIESEL", -1),
    ],
)
def test_each_fault_moves_what_it_should(quiet, run, fault, tag, sign):
    true, _ = run(TwinSource(quiet({**fault, "onset_minutes": 30})), 5)
    assert sign * (true[tag][-1] - true[tag][29]) > 0.01 * abs(true[tag][29])


def test_a_repeated_fault_comes_back(quiet, run):
    scenario = quiet(
        {
            "kind": "meter_bias",
            "target": "FI101",
            "magnitude": 5,
            "onset_minutes": 10,
            "duration_minutes": 10,
            "repeat_minutes": 60,
        }
    )
    true, shown = run(TwinSource(scenario), 3)
    assert np.flatnonzero(shown["FI101"] - true["FI101"] > 1).tolist() == [
        *range(10, 20),
        *range(70, 80),
        *range(130, 140),
    ]


def test_the_demo_shows_a_fault_in_its_first_minute_at_sixty_times_real_time():
    source = TwinSource()
    assert source.active_faults == ()
    blocks = source.blocks(timedelta(minutes=1))
    for _ in range(60):
        next(blocks)
    assert len(source.active_faults) >= 3


def test_a_set_point_moves_the_plant_from_the_next_step_on(quiet, run):
    source = TwinSource(quiet())
    before, _ = run(source, 2)
    source.set_point("TC203_SP", 296)
    after, _ = run(source, 3)
    assert after["TI203"][-1] == pytest.approx(296)
    assert after["FI304"][-1] > before["FI304"][-1] + 3


def test_a_set_point_outside_its_range_or_of_another_tag_is_refused(quiet):
    source = TwinSource(quiet())
    with pytest.raises(ParameterError, match=r"9000.*640"):
        source.set_point("FC101_SP", 9000)
    with pytest.raises(ParameterError, match="FC101_SP"):
        source.set_point("FI101", 600)


def test_closing_ends_the_iterator(quiet):
    source = TwinSource(quiet())
    blocks = source.blocks(HOUR)
    next(blocks)
    source.close()
    assert list(blocks) == []


def test_its_history_is_as_long_as_the_warm_up():
    source = TwinSource(Scenario(name="trial", warm_up_hours=192))
    assert sum(len(block) for block in source.history()) >= 192 * 60
