"""Balances over data: steadiness, variances from data, day by day, proposals and the report."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from orchestrator.errors import ConfigurationError, InsufficientDataError
from orchestrator.modules.etl import steadiness, steady_bias, variances
from orchestrator.modules.etl.beside import stuck, unit_change
from orchestrator.modules.etl.network import ReconcileInput
from orchestrator.modules.etl.reconcile import run
from orchestrator.plant.tables import Table
from orchestrator.plant.tags import Plant

DAYS = 200
BALANCES = [{"name": "unit", "inputs": ["feed"], "outputs": ["light", "middle", "heavy"]}]


def simulated(seed: int = 3) -> dict[str, np.ndarray]:
    """A unit whose feed wanders; meters err by half a percent."""
    rng = np.random.default_rng(seed)
    feed = 2000 + 80 * np.cumsum(rng.normal(size=DAYS)) / 8
    cut = 0.3 + 0.01 * np.sin(np.arange(DAYS) / 17)
    flows = {"feed": feed, "light": cut * feed, "middle": 0.3 * feed, "heavy": (0.7 - cut) * feed}
    data = {name: flow * (1 + 0.005 * rng.normal(size=DAYS)) for name, flow in flows.items()}
    return {
        "time": np.datetime64("2025-01-01", "us") + np.arange(DAYS) * np.timedelta64(1, "D"),
        **data,
    }


def balanced(context_for, data: dict, **more: object):
    return run(
        ReconcileInput.model_validate({"balances": BALANCES, **more}), context_for(data, Plant())
    )


def test_sound_days_close_and_nothing_is_blamed(context_for):
    result = balanced(context_for, simulated())
    (periods,) = result.periods
    assert periods.closure_median == pytest.approx(1.0, abs=0.003)
    assert sum(p.status == "closes" for p in periods.periods) >= 0.97 * DAYS
    assert periods.steady_bias == ()
    assert [m.month for m in periods.months][:2] == ["2025-01", "2025-02"]


def test_a_meter_that_doubles_for_a_day_is_named_with_the_day(context_for):
    data = simulated()
    data["light"][90] *= 2
    (periods,) = balanced(context_for, data).periods
    day = periods.periods[90]
    assert (day.status, day.suspects[0]) == ("stands_out", "light")
    assert day.start.startswith("2025-04-01")


def test_the_record_of_a_meter_that_stands_out_says_what_the_others_make_of_it(context_for):
    true, data = simulated(), simulated()
    data["light"][90] *= 2
    (periods,) = balanced(context_for, data, flow_unit="t/d").periods
    meters = {meter.id: meter for meter in periods.meters}
    light = meters["light"]
    assert light.unit == periods.unit == "t/d"
    assert light.flagged == ("2025-04-01T00:00:00Z",)
    assert light.measured[90] == pytest.approx(2 * true["light"][90])
    assert light.reconciled[90] == pytest.approx(
        true["feed"][90] - true["middle"][90] - true["heavy"][90]
    )
    assert abs(light.reconciled[90] - true["light"][90]) < 4 * light.reconciled_sd[90]
    # any other day the balance closes with all meters, and knows the meter better than itself
    assert light.reconciled[50] == pytest.approx(light.measured[50], rel=0.02)
    assert 0 < light.reconciled_sd[50] < light.reconciled_sd[90]


def test_days_that_were_not_steady_are_not_reconciled(context_for):
    data = simulated()
    data["light"][90] *= 2
    for name, factor in {"feed": 0.7, "light": 0.0, "middle": 0.1, "heavy": 2.3}.items():
        data[name][120:124] *= factor
    (meter,) = balanced(context_for, data).periods[0].meters
    assert meter.reconciled[120:124] == (None,) * 4
    assert all(value is not None for value in meter.measured[120:124])


def test_a_feed_meter_that_reads_low_is_told_from_the_products(context_for):
    data = simulated()
    data["feed"][60] *= 0.9
    (periods,) = balanced(context_for, data).periods
    day = periods.periods[60]
    assert day.status == "stands_out"
    assert day.suspects[0] == "feed"


def test_a_trip_is_not_blamed_on_a_meter(context_for):
    data = simulated()
    for name, factor in {"feed": 0.7, "light": 0.0, "middle": 0.1, "heavy": 2.3}.items():
        data[name][120:124] *= factor
    (periods,) = balanced(context_for, data).periods
    assert [p.status for p in periods.periods[120:124]] == ["not_steady"] * 4


def test_a_scale_error_that_stays_is_found_with_its_onset_and_its_meter(context_for):
    data = simulated()
    rng = np.random.default_rng(8)
    # the cut moves, so that the imbalance follows one meter and not the others
    share = np.repeat(rng.uniform(0.5, 1.5, size=DAYS // 4), 4)
    moved = 0.4 * data["light"] * (share - 1)
    data["light"], data["heavy"] = data["light"] + moved, data["heavy"] - moved
    data["light"][100:] *= 1.12
    (periods,) = balanced(context_for, data).periods
    bias = periods.steady_bias[-1]
    assert (
        abs(
            int(
                (np.datetime64(bias.start[:10]) - np.datetime64("2025-04-11"))
                / np.timedelta64(1, "D")
            )
        )
        <= 3
    )
    best = bias.explanations[0]
    assert (best.kind, best.id) == ("scale", "light")
    assert best.size == pytest.approx(0.107, abs=0.02)
    assert best.confidence > 0.8


def test_a_product_counted_twice_is_recognised(context_for):
    data = simulated()
    rng = np.random.default_rng(2)
    data["part"] = data["light"] * rng.uniform(0.1, 0.5, size=DAYS)
    balances = [
        {"name": "unit", "inputs": ["feed"], "outputs": ["light", "middle", "heavy", "part"]}
    ]
    (periods,) = balanced(context_for, data, balances=balances).periods
    best = periods.steady_bias[-1].explanations[0]
    assert (best.kind, best.id) == ("counted_twice", "part")


def test_a_balance_is_proposed_from_names_and_says_so(context_for):
    data = simulated()
    rng = np.random.default_rng(2)
    named = {
        "time": data["time"],
        "Raw_Crude_Flow": data["feed"],
        "Naphtha_Product": data["light"],
        "Diesel_Product": data["middle"],
        "Residue_Product": data["heavy"],
        "Jet_Product": data["light"] * rng.uniform(0.1, 0.5, size=DAYS),
        "month_mean_API": np.full(DAYS, 39.0),
    }
    result = run(ReconcileInput(), context_for(named, Plant(name="u")))
    assert {s.id for s in result.streams} == {
        "Raw_Crude_Flow", "Naphtha_Product", "Diesel_Product", "Residue_Product"
    }  # fmt: skip
    assert any("proposed from the columns' names" in note for note in result.warnings)
    assert any("Jet_Product is taken for part" in note for note in result.warnings)


def test_names_that_suggest_no_balance_are_not_forced_into_one(context_for):
    data = simulated()
    with pytest.raises(ConfigurationError, match="Add balances"):
        run(ReconcileInput(), context_for({"time": data["time"], "a": data["feed"]}, Plant()))


def test_a_frozen_meter_is_left_out_and_said_so(context_for):
    data = simulated()
    data["middle"][50:80] = data["middle"][50]
    result = balanced(context_for, data)
    (entry,) = [item for item in result.left_out if item.id == "middle"]
    assert "frozen" in entry.why
    assert entry.start.startswith("2025-02-20")
    assert entry.count == 30
    assert {p.status for p in result.periods[0].periods[51:79]} == {"incomplete"}


def test_a_stream_without_any_value_is_not_counted_as_nothing(context_for):
    data = simulated()
    data["light"] = np.full(DAYS, np.nan)
    with pytest.raises(
        InsufficientDataError, match="200 days: no value: light; light: has no value"
    ):
        balanced(context_for, data)


def test_a_small_stream_that_is_frozen_is_counted_as_nothing(context_for):
    data = {**simulated(), "gas": np.full(DAYS, 3.0)}
    balances = [
        {"name": "unit", "inputs": ["feed"], "outputs": ["light", "middle", "heavy", "gas"]}
    ]
    result = balanced(context_for, data, balances=balances)
    assert sum(p.status == "closes" for p in result.periods[0].periods) >= 0.97 * DAYS
    assert any(item.id == "gas" and "counted as nothing" in item.why for item in result.left_out)


@pytest.mark.filterwarnings("error")
def test_a_feed_without_values_is_named(context_for):
    data = simulated()
    data["feed"] = np.full(DAYS, np.nan)
    with pytest.raises(InsufficientDataError, match="no value: feed"):
        balanced(context_for, data)


def test_hourly_data_over_weeks_is_cut_into_days(context_for):
    rng = np.random.default_rng(0)
    rows = 24 * 20
    data = {
        "time": np.datetime64("2025-01-01", "us") + np.arange(rows) * np.timedelta64(1, "h"),
        "feed": 100 + rng.normal(size=rows),
        "light": 30 + 0.3 * rng.normal(size=rows),
        "middle": 30 + 0.3 * rng.normal(size=rows),
        "heavy": 40 + 0.4 * rng.normal(size=rows),
    }
    (periods,) = balanced(context_for, data).periods
    assert len(periods.periods) == 20
    assert balanced(context_for, data, period="all").periods == ()


def test_variances_follow_from_the_balances_while_the_flows_move():
    """Two meters in series at two nodes: more covariances than meters, whatever the flow does."""
    rng = np.random.default_rng(1)
    flow = 100 + 10 * np.cumsum(rng.normal(size=4000)) / 20
    sd = np.array([0.5, 1.0, 0.3])
    values = flow[:, None] + rng.normal(size=(4000, 3)) * sd
    a = np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]])
    found = variances.estimate(values, a, np.full(3, np.nan))
    assert [e.source for e in found] == ["balance_residuals"] * 3
    assert np.array([e.sd for e in found]) == pytest.approx(sd, rel=0.08)


def test_variances_stand_against_gross_errors_in_the_record():
    rng = np.random.default_rng(1)
    column = 50 + rng.normal(scale=0.4, size=1000)
    column[::50] += 100
    assert variances.from_differences(column) == pytest.approx(0.4, rel=0.15)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (lambda x: 0 * x, False),
        (lambda x: 6 * x, True),
        (lambda x: 6.0 * (x > 0.6), True),
        (lambda x: 6 * np.exp(-(((x - 0.5) / 0.1) ** 2)), True),
    ],
    ids=["still", "ramp", "step", "excursion"],
)
def test_ramps_steps_and_excursions_are_not_steady(shape, expected):
    rng = np.random.default_rng(4)
    x = np.linspace(0, 1, 300)
    found = steadiness.moved({"F": 100 + shape(x) + 0.5 * rng.normal(size=300)}, {"F": 0.5})
    assert (found == ["F"]) is expected


def test_a_steady_plant_is_rarely_called_unsteady():
    rng = np.random.default_rng(9)
    called = 0
    for _ in range(200):
        noise = rng.normal(size=300)
        for i in range(1, 300):
            noise[i] += 0.6 * noise[i - 1]
        called += bool(steadiness.moved({"F": 100 + noise}, {"F": 0.3}))
    assert called <= 4


def test_segments_follow_a_step_and_not_noise():
    rng = np.random.default_rng(6)
    level = np.concatenate([np.zeros(80), np.full(70, 0.03)]) + 0.01 * rng.normal(size=150)
    ((_, first), _) = steady_bias.segments(level)
    assert abs(first - 80) <= 3
    assert steady_bias.segments(0.01 * rng.normal(size=150)) == [(0, 150)]


def test_a_meter_that_stands_still_and_a_change_of_unit_are_seen():
    rng = np.random.default_rng(6)
    column = 100 + rng.normal(size=60)
    column[20:40] = 100.0 + 0.01 * rng.normal(size=20)
    ((first, last),) = stuck(column)
    assert (first, last) == (20, 39)
    assert stuck(np.zeros(60)) == []
    sulphur = np.concatenate([np.full(30, 0.2), np.full(30, 1900.0)]) * rng.uniform(0.9, 1.1, 60)
    assert unit_change(sulphur) == 30
    assert unit_change(column) is None


class Page(HTMLParser):
    """Counts elements and collects what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.count: dict[str, int] = {}
        self.loads: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        self.loads += [v or "" for k, v in attributes if k in ("src", "href")]


def test_the_report_is_one_page_that_loads_nothing(context_for):
    data = simulated()
    data["light"][90] *= 2
    result = balanced(context_for, {**data, "<b>x": data["light"] * 0.7}, report=True)
    page = Page()
    page.feed(result.report)
    assert page.loads == []
    assert "script" not in page.count
    # closure, flows, and the one meter that stands out
    assert page.count["svg"] == 3
    assert page.count["figure"] == 1
    assert page.count["circle"] == 2 * DAYS
    assert result.report.count('<circle class="stands_out') == 2
    assert "Neither the data nor the plant file state one unit" in result.report
    assert "&lt;b&gt;x" in result.report
    assert len(result.report) < 300_000


def test_the_report_prints_units_where_they_are_known(context_for):
    page = balanced(context_for, simulated(), report=True, flow_unit="t/d").report
    assert "Flows in t/d, mean of each day." in page
    assert page.count('<td class="">t/d</td>') == 4  # one for each stream


@pytest.fixture
def crude_unit(shared: Path, context_for):
    return context_for(Table(shared / "data/cdu/cdu_daily.csv").read(), Plant(name="crude unit"))


def test_a_real_crude_unit_shows_what_is_known_to_be_odd(crude_unit):
    result = run(ReconcileInput(), crude_unit)
    (periods,) = result.periods
    days = {p.start[:10]: p for p in periods.periods}
    naphtha = "Total_Stabilized_Naphtha_Product_Flowrate"
    for day in ("2024-07-03", "2024-08-30", "2024-08-31", "2024-09-01"):
        assert (days[day].status, days[day].suspects[0]) == ("stands_out", naphtha)
    for day in ("2024-07-19", "2024-08-28"):
        assert "Total_Atmospheric_Residue_Flowrate" in days[day].suspects
    for day in [f"2024-09-{d:02}" for d in range(6, 13)] + [
        "2024-09-21",
        "2024-10-07",
        "2024-10-08",
    ]:
        assert days[day].status == "not_steady"
    level = {m.month: m.closure for m in periods.months}
    assert all(1.025 < level[m] < 1.05 for m in ("2025-01", "2025-02", "2025-04", "2025-05"))
    assert all(0.97 < level[m] < 1.03 for m in ("2024-06", "2024-07", "2024-08", "2024-10"))
    late = [b for b in periods.steady_bias if b.start >= "2025"]
    assert late
    assert {b.explanations[0].id for b in late} == {naphtha}
    left_out = {item.id for item in result.left_out}
    assert {"Rich_Gas_Knockout_Drum_Liquid_to_CDU", "Kerosene_to_Light_Diesel_DHT_Flowrate",
            "month_mean_Sulphur_raw"} <= left_out  # fmt: skip
    assert "Jet_Fuel_Product_Train1_Flowrate" not in {s.id for s in result.streams}
