"""Every fault and event moves what it should, and nothing before its onset."""

import numpy as np
import pytest

from orchestrator.plant.samples import Quality
from orchestrator.plant.twin.catalogue import KINDS
from orchestrator.plant.twin.process import INTO, OUT
from orchestrator.plant.twin.scenario import Fault
from orchestrator.plant.twin.source import TwinSource

ONSET = 30

PROCESS = [
    ({"kind": "exchanger_fouling", "target": "E-104", "magnitude": 0.6}, {"TI113": -1, "TI314": 1}),
    ({"kind": "furnace_fouling", "target": "H-101", "magnitude": 0.3}, {"TI131": 1, "FI130": 1}),
    ({"kind": "burner_fault", "target": "H-101", "magnitude": 2}, {"FI131": 1, "FI130": 1}),
    ({"kind": "pump_trip", "target": "P-101", "magnitude": 0.3}, {"FI101": -1, "FI306": -1}),
    ({"kind": "pump_trip", "target": "P-102", "magnitude": 0.5}, {"FI211": -1, "FI210": 1}),
    ({"kind": "pump_trip", "target": "P-103", "magnitude": 0.5}, {"FI221": -1, "TI103": -1}),
    ({"kind": "crude_switch", "target": "heavy"}, {"FI306": 1, "AI101": 1, "AI306": 1}),
    ({"kind": "crude_switch", "target": "condensate", "magnitude": 0.3}, {"FI302": 1}),
    ({"kind": "off_spec_crude", "target": "light", "magnitude": 0.2}, {"FI302": 1, "AI101": -1}),
    ({"kind": "off_spec_crude", "target": "heavy", "magnitude": 0.2}, {"FI306": 1, "AI101": 1}),
    ({"kind": "water_slug", "target": "D-101", "magnitude": 6}, {"FI213": 1, "PI201": 1}),
    ({"kind": "flooding", "target": "C-101", "magnitude": 0.6}, {"PDI201": 1, "AI304": 1}),
    ({"kind": "tray_damage", "target": "C-101", "magnitude": 0.5}, {"AI304": 1, "AI303": -1}),
    ({"kind": "tray_damage", "target": "kerosene", "magnitude": 0.5}, {"AI313": 1}),
    ({"kind": "heat_leak", "target": "H-101", "magnitude": 5}, {"FI130": 1}),
    ({"kind": "heat_leak", "target": "C-101", "magnitude": 5}, {"QI210": -1, "FI210": -1}),
    ({"kind": "price_shock", "target": "PR_DIESEL", "magnitude": -8}, {"PR_DIESEL": -1}),
    ({"kind": "demand_change", "target": "PR_DIESEL", "magnitude": 0.3}, {"PR_DIESEL": 1}),
    ({"kind": "maintenance_window", "target": "E-105"}, {"TI103": -1, "FI130": 1}),
    ({"kind": "shutdown"}, {"FI101": -1, "TI130": -1, "FI130": -1}),
    ({"kind": "emergency"}, {"FI101": -1, "TI130": -1, "FI130": -1}),
]
ELSEWHERE = {
    "meter_bias",
    "meter_drift",
    "frozen_signal",
    "spikes",
    "missing_signal",
    "lost_communication",
    "analyser_fault",
    "exchanger_cleaning",
    "product_leak",
    "startup",
}


def test_every_kind_of_fault_is_tested():
    assert {fault["kind"] for fault, _ in PROCESS} | ELSEWHERE == set(KINDS)


@pytest.mark.parametrize(("fault", "moves"), PROCESS)
def test_a_fault_moves_what_it_should_and_only_from_its_onset(quiet, run, fault, moves):
    true, shown = run(TwinSource(quiet({**fault, "onset_minutes": ONSET})), 6)
    for tag, sign in moves.items():
        before, after = true[tag][ONSET - 1], true[tag][-1]
        assert sign * (after - before) > 0.003 * abs(before), tag
        assert np.ptp(true[tag][:ONSET]) < 1e-9 * abs(before)
        assert shown[tag] == pytest.approx(true[tag])
    into, out = (sum(true[tag][-1] for tag in tags) for tags in (INTO, OUT))
    assert out == pytest.approx(into, rel=0.01)


def test_a_leak_is_missing_in_the_product_and_in_the_balance(quiet, run):
    leak = {"kind": "product_leak", "target": "FI303", "magnitude": 6, "onset_minutes": ONSET}
    true, _ = run(TwinSource(quiet(leak)), 3)
    assert true["FI303"][-1] - true["FI303"][0] == pytest.approx(-6)
    missing = sum(true[tag] for tag in INTO) - sum(true[tag] for tag in OUT)
    assert missing[ONSET - 1 : ONSET + 1].tolist() == pytest.approx([0, 6], abs=1e-9)


def test_a_cleaning_bypasses_the_exchanger_and_then_takes_the_fouling_away(quiet, run):
    faults = (
        {"kind": "exchanger_fouling", "target": "E-101", "magnitude": 0.5, "onset_minutes": 60},
        {
            "kind": "exchanger_cleaning",
            "target": "E-101",
            "magnitude": 1,
            "onset_minutes": 300,
            "duration_minutes": 120,
        },
    )
    true, _ = run(TwinSource(quiet(*faults)), 10)
    clean, fouled, bypassed, after = (true["TI103"][row] for row in (50, 290, 410, 590))
    assert fouled < clean - 5
    assert bypassed == pytest.approx(true["TI102"][410], abs=0.1)
    assert after == pytest.approx(clean, abs=1e-3)


def test_slow_fouling_grows_from_day_to_day(quiet, run):
    true, _ = run(TwinSource(quiet(fouling_per_day=0.05)), 72)
    daily = true["TI103"][[0, 1439, 2879, 4319]]
    assert (np.diff(daily) < -0.1).all()


def test_a_startup_begins_cold_and_ends_in_normal_operation(quiet, run):
    event = {"kind": "startup", "onset_minutes": 60, "shape": "ramp", "rise_minutes": 240}
    source = TwinSource(quiet(event))
    true, _ = run(source, 12)
    normal, _ = run(TwinSource(quiet()), 12)
    assert true["TI130"][0] < 200
    assert true["XI101"][[0, 100, -1]].tolist() == [1, 1, 0]
    for tag in ("FI101", "TI130", "FI304", "AI304"):
        assert true[tag][-1] == pytest.approx(normal[tag][-1], rel=0.01), tag
    assert source.active_faults == ()


def test_an_emergency_is_announced_and_leaves_the_set_points_alone(quiet, run):
    event = {"kind": "emergency", "onset_minutes": 30, "duration_minutes": 60}
    true, _ = run(TwinSource(quiet(event)), 4)
    assert true["XI101"][[29, 30, 89, 90]].tolist() == [0, 3, 3, 0]
    assert np.ptp(true["TC130_SP"]) == 0
    assert true["TI130"][85] < 280


def test_drift_grows_by_its_magnitude_a_day(quiet, run):
    fault = {"kind": "meter_drift", "target": "TI131", "magnitude": 12, "onset_minutes": 0}
    true, shown = run(TwinSource(quiet(fault)), 25)
    assert (shown["TI131"] - true["TI131"])[1440] == pytest.approx(12)


def test_spikes_are_few_and_of_their_size(quiet, run):
    fault = {"kind": "spikes", "target": "FI210", "magnitude": 40, "onset_minutes": 60}
    true, shown = run(TwinSource(quiet(fault)), 48)
    error = shown["FI210"] - true["FI210"]
    struck = np.flatnonzero(error)
    assert struck.min() >= 60
    assert 0.01 < len(struck) / len(error) < 0.06
    assert set(np.round(error[struck], 6)) == {40.0, -40.0}


def test_a_lost_link_takes_a_whole_area_and_nothing_else(quiet, run):
    fault = {
        "kind": "lost_communication",
        "target": "preheat",
        "onset_minutes": 60,
        "duration_minutes": 30,
    }
    source = TwinSource(quiet(fault))
    _, shown = run(source, 3)
    for tag in source.plant.tags:
        if tag.kind != "lab" and tag.name != "ST_PRODUCTS":
            lost = np.flatnonzero(np.isnan(shown[tag.name]))
            assert lost.tolist() == (list(range(60, 90)) if tag.area == "preheat" else []), tag.name


def test_a_failed_analyser_holds_its_result_is_off_and_uncertain(quiet):
    fault = {
        "kind": "analyser_fault",
        "target": "AI304",
        "magnitude": 6,
        "onset_minutes": 20,
        "duration_minutes": 20,
    }
    source = TwinSource(quiet(fault, noise=1))
    true, shown = next(source.truth(source.start.resolution * 3_600_000_000))
    column = shown.tags.index("AI304")
    values, quality = shown.values[:, column], shown.quality[:, column]
    assert values[20:40] == pytest.approx(values[19] + 6)
    assert (quality[20:40] == Quality.UNCERTAIN).all()
    assert (quality[:20] == Quality.GOOD).all()
    assert true.values[:, column] == pytest.approx(true.values[0, column])


@pytest.mark.parametrize("shape", ["ramp", "exponential"])
def test_a_shape_rises_over_its_time(quiet, run, shape):
    fault = {
        "kind": "meter_bias",
        "target": "FI101",
        "magnitude": 10,
        "onset_minutes": 10,
        "shape": shape,
        "rise_minutes": 40,
    }
    true, shown = run(TwinSource(quiet(fault)), 2)
    error = shown["FI101"] - true["FI101"]
    half = {"ramp": 5.0, "exponential": 10 * (1 - np.exp(-1.5))}[shape]
    assert error[[10, 30]].tolist() == pytest.approx([0, half])
    assert error[50] == pytest.approx({"ramp": 10, "exponential": 9.5}[shape], rel=0.01)


def test_a_magnitude_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="mass %"):
        Fault(name="a", kind="water_slug", target="D-101", magnitude=40, onset_minutes=0)
