from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from orchestrator.errors import InsufficientDataError, ParameterError, UnknownTagError
from orchestrator.modules.forecasting.soft_sensor.handler import run
from orchestrator.modules.forecasting.soft_sensor.parameters import SoftSensorInput
from orchestrator.plant.tags import MarketFields, Plant, Tag

ROWS = 1500
EVERY = 10
DELAY = 4
TIMES = np.datetime64("2025-01-01", "us") + np.arange(ROWS) * np.timedelta64(600, "s")


def wander(rng: np.random.Generator, rows: int = ROWS) -> np.ndarray:
    values = np.zeros(rows)
    for i in range(1, rows):
        values[i] = 0.97 * values[i - 1] + rng.normal()
    return values


def plant(seed: int = 1, every: int = EVERY) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Three wandering inputs, the samples of a property in the rows where they were taken, the truth."""
    rng = np.random.default_rng(seed)
    inputs = {name: wander(rng) for name in ("T", "P", "F")}
    truth = 90 + 2 * np.roll(inputs["T"], 3) - inputs["P"] + 0.1 * rng.normal(size=ROWS)
    samples = np.full(ROWS, np.nan)
    samples[5::every] = truth[5::every]
    return {**inputs, "Q": samples}, truth


def means(result: Any) -> np.ndarray:
    return np.array([point.mean for point in result.predictions])


def sensor(context_for, data, **parameters):
    return run(SoftSensorInput(target="Q", **{"delay": DELAY, **parameters}), context_for(data))


def test_the_property_between_samples_follows_the_inputs(context_for):
    data, truth = plant()
    result = sensor(context_for, {"time": TIMES, **data})
    assert result.rmse < 0.4 * result.rmse_last_sample
    assert result.lags >= 3
    assert np.abs(means(result) - truth[-len(result.predictions) :]).mean() < 0.6
    assert result.predictions[-1].time == "2025-01-11T09:50:00Z"
    assert [point.row for point in result.predictions] == list(range(1300, 1500))
    assert "values coming 4 rows after their sample" in result.summary
    assert result.model.scores["ridge"] < result.model.scores["last sample"]
    assert {"pls", "gaussian process"} <= result.model.scores.keys()
    assert sum(chosen.share for chosen in result.model.chosen) == pytest.approx(1)


def test_rows_are_those_asked_for_both_ends_included(context_for):
    data, truth = plant()
    result = sensor(context_for, data, train_rows=(100, 999), predict_rows=(1100, 1399))
    assert [point.row for point in result.predictions] == list(range(1100, 1400))
    assert {point.time for point in result.predictions} == {None}
    assert result.samples == len(range(105, 1000, EVERY))
    assert "in row 1399" in result.summary
    own = range(1105, 1400, EVERY)
    errors = [result.predictions[row - 1100].mean - truth[row] for row in own]
    assert result.held_out.samples == len(own)
    assert result.held_out.rmse == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    last = [truth[row] - truth[row - EVERY] for row in own]
    assert result.held_out.rmse_last_sample == pytest.approx(np.sqrt(np.mean(np.square(last))))


def test_training_rows_alone_leave_all_rows_after_them_to_estimate(context_for):
    data, _ = plant()
    result = sensor(context_for, data, train_rows=(0, 1199))
    assert [point.row for point in result.predictions] == list(range(1200, ROWS))


@pytest.mark.parametrize("delay", [0, DELAY])
def test_no_estimate_uses_a_value_that_was_not_known(context_for, delay):
    data, _ = plant(every=3)
    asked = {"train_rows": (0, 899), "predict_rows": (900, 1000), "delay": delay}
    before = sensor(context_for, data, **asked)
    wait = max(delay, 1)
    first = next(row for row in range(950, 960) if np.isfinite(data["Q"][row]))
    data["Q"][first:] += 25.0
    after = sensor(context_for, data, **asked)
    unknown = first + wait - 900
    np.testing.assert_array_equal(means(after)[:unknown], means(before)[:unknown])
    np.testing.assert_array_equal(
        [(p.lower, p.upper) for p in after.predictions[:unknown]],
        [(p.lower, p.upper) for p in before.predictions[:unknown]],
    )
    # and from the row at which it is known it counts
    assert abs(means(after)[unknown] - means(before)[unknown]) > 1e-6


def test_it_makes_no_difference_whether_there_are_later_rows_and_values_at_all(context_for):
    data, _ = plant(every=3)
    before = sensor(context_for, data, train_rows=(0, 899), predict_rows=(900, 1400))
    cut = {name: values[:1000].copy() for name, values in data.items()}
    cut["Q"][1000 - DELAY :] = np.nan
    after = sensor(context_for, cut, train_rows=(0, 899), predict_rows=(900, 999))
    np.testing.assert_allclose(means(after), means(before)[:100], rtol=1e-9)


def test_a_value_of_the_training_rows_not_yet_known_at_the_first_estimate_has_no_part(context_for):
    data, _ = plant(every=3)
    asked = {"train_rows": (0, 899), "predict_rows": (900, 905), "delay": 30}
    before = sensor(context_for, data, **asked)
    data["Q"][876:] += 25.0
    after = sensor(context_for, data, **asked)
    np.testing.assert_array_equal(means(after), means(before))
    assert after.samples == before.samples


def test_no_estimate_uses_inputs_of_later_rows(context_for):
    data, _ = plant(every=3)
    asked = {"train_rows": (0, 899), "predict_rows": (900, 1000)}
    before = sensor(context_for, data, **asked)
    data["T"][951:] += 3.0
    after = sensor(context_for, data, **asked)
    np.testing.assert_array_equal(means(after)[:51], means(before)[:51])
    assert abs(means(after)[60] - means(before)[60]) > 0.1


def test_values_that_stand_where_they_were_reported_give_the_same_estimates(context_for):
    data, _ = plant()
    asked = {"train_rows": (0, 1199), "predict_rows": (1200, 1250)}
    sampled = sensor(context_for, data, **asked)
    moved = np.full(ROWS, np.nan)
    moved[DELAY:] = data["Q"][:-DELAY]
    reported = sensor(context_for, {**data, "Q": moved}, stamp="reported", **asked)
    np.testing.assert_array_equal(means(reported), means(sampled))
    wrong = sensor(context_for, {**data, "Q": moved}, **asked)
    assert not np.array_equal(means(wrong), means(sampled))


def test_rows_stated_after_the_training_rows_keep_the_model_up_to_date(context_for):
    """A step in the property that no input shows is taken up from the samples after it."""
    data, truth = plant(every=3)
    shift = np.where(np.arange(ROWS) >= 1000, 6.0, 0.0)
    data["Q"] = data["Q"] + shift
    result = sensor(context_for, data, train_rows=(0, 899), predict_rows=(900, 1499))
    errors = np.abs(means(result) - (truth + shift)[900:])
    assert errors[100:104].mean() > 4.0
    assert errors[400:].mean() < 0.3 * errors[100:104].mean()


def test_without_samples_for_long_the_inputs_do_alone(context_for):
    data, truth = plant()
    data["Q"][1000:] = np.nan
    result = sensor(context_for, data, train_rows=(0, 999), predict_rows=(1000, 1499))
    assert np.sqrt(np.mean(np.square(means(result) - truth[1000:]))) < 1.0
    assert any("from the inputs alone" in warning for warning in result.warnings)
    assert result.held_out is None


def test_intervals_cover_the_truth(context_for):
    data, truth = plant()
    result = sensor(context_for, data, train_rows=(0, 799), predict_rows=(800, 1499))
    inside = [p.lower <= v <= p.upper for p, v in zip(result.predictions, truth[800:], strict=True)]
    assert np.mean(inside) >= 0.88
    assert result.coverage >= 0.85
    assert np.median([p.upper - p.lower for p in result.predictions]) < truth.std() * 2


def test_outside_what_was_seen_no_value_is_stated(context_for):
    data, _ = plant()
    data["T"][-3:] += 200
    result = sensor(context_for, {"time": TIMES, **data})
    assert [point.applicable for point in result.predictions[-4:]] == [True, False, False, False]
    assert np.isfinite(result.predictions[-1].mean)
    assert result.predictions[-1].t2 > 1 or result.predictions[-1].spe > 1
    assert result.summary.startswith("No value of Q is stated at 2025-01-11T09:50:00Z")
    assert "T" in result.summary.split("seen (")[1].split(")")[0]
    assert any("3 of 200 rows are outside" in warning for warning in result.warnings)


def test_an_input_that_fails_for_longer_than_ever_is_outside(context_for):
    data, _ = plant()
    data["P"][300:305] = np.nan
    data["P"][-20:] = np.nan
    result = sensor(context_for, data)
    assert [p.applicable for p in result.predictions[-20:]].count(False) == 15
    assert "no value of P" in result.summary


def test_inputs_that_explain_nothing_are_said_to(context_for):
    data, _ = plant()
    rng = np.random.default_rng(5)
    noise = {name: rng.normal(size=ROWS) for name in ("T", "P", "F")}
    result = sensor(context_for, {**data, **noise})
    assert result.rmse > 0.6 * result.rmse_last_sample


def test_spikes_scales_gaps_slips_and_dead_inputs_do_little_harm(context_for):
    data, truth = plant()
    rng = np.random.default_rng(7)
    clean = sensor(context_for, data)
    data = {"T": data["T"] * 1e9, "P": data["P"] * 1e-9 + 5.0, "F": data["F"], "Q": data["Q"]}
    data["T"][[200, 700]] = 1e15
    data["P"][rng.random(ROWS) < 0.1] = np.nan
    data["dead"], data["absent"] = np.full(ROWS, 3.0), np.full(ROWS, np.nan)
    data["F"][100] = np.inf
    data["Q"][505] *= 10
    result = sensor(context_for, data)
    newest = truth[-len(result.predictions) :]
    error, cleaner = (np.sqrt(np.mean((means(r) - newest) ** 2)) for r in (result, clean))
    assert error < 2 * cleaner + 0.2
    assert any("dead, absent" in warning for warning in result.warnings)
    assert any("1 value(s) learnt from, each far outside" in warning for warning in result.warnings)


def test_another_grade_is_learnt_and_judged(context_for):
    rng = np.random.default_rng(4)
    grade = (rng.random(ROWS) < 0.2).astype(float)
    temperature = rng.normal(350, 2, ROWS)
    quality = 10 + 5 * grade + 0.01 * (temperature - 350) + rng.normal(0, 0.05, ROWS)
    data = {"T": temperature, "G": grade + rng.normal(0, 0.01, ROWS), "Q": quality}
    result = sensor(context_for, data, train_rows=(0, 1199), predict_rows=(1200, 1499))
    assert not any("slips" in warning for warning in result.warnings)
    assert result.held_out.samples == 300
    second = grade[1200:] > 0
    assert np.abs(means(result) - quality[1200:])[second].max() < 1.0
    assert result.held_out.rmse < 0.3


def test_a_slip_among_the_rows_asked_for_counts_in_the_score(context_for):
    data, _ = plant()
    data["Q"][1405] *= 100
    result = sensor(context_for, data, train_rows=(0, 1199), predict_rows=(1200, 1499))
    assert not any("slips" in warning for warning in result.warnings)
    assert result.held_out.samples == np.isfinite(data["Q"][1200:]).sum()
    assert result.held_out.rmse > 1000


def test_thirty_samples_will_do_and_twenty_nine_will_not(context_for):
    data, truth = plant(every=50)
    result = sensor(context_for, data, train_rows=(0, 1459), predict_rows=(1465, 1499))
    assert result.samples == 30
    assert np.abs(means(result) - truth[1465:]).mean() < 0.5 * truth.std()
    with pytest.raises(InsufficientDataError, match="29 samples of rows 0 to 1454"):
        sensor(context_for, data, train_rows=(0, 1454), predict_rows=(1465, 1499))


def test_many_inputs_and_few_samples(context_for):
    data, truth = plant(every=25)
    rng = np.random.default_rng(3)
    others = {f"X{i}": wander(rng) for i in range(60)}
    result = sensor(context_for, {**others, **data}, train_rows=(0, 1199))
    assert np.sqrt(np.mean((means(result) - truth[1200:]) ** 2)) < truth.std()
    assert result.rmse < result.rmse_last_sample


def test_tags_that_are_no_process_tags_are_left_out_unless_named(context_for):
    data, _ = plant()
    context = context_for(
        {**data, "LAB2": data["Q"] + 1, "OIL": np.arange(ROWS) / 7.0, "T.truth": data["T"],
         "STOCK": np.arange(ROWS) / 3.0},
        plant=Plant(tags=(Tag(name="LAB2", kind="lab"), Tag(name="OIL", kind="price"),
                          Tag(name="STOCK"), Tag(name="Q", unit="degC")),
                    market=MarketFields(product_stock="STOCK")),
    )  # fmt: skip
    result = run(SoftSensorInput(target="Q", delay=DELAY), context)
    bare = sensor(context_for, data)
    np.testing.assert_array_equal(means(result), means(bare))
    assert "degC" in result.summary


def test_rows_out_of_order_are_put_in_order_of_time(context_for):
    data, _ = plant()
    table = {"time": TIMES, **data}
    shuffled = np.random.default_rng(0).permutation(ROWS)
    result = sensor(context_for, {name: values[shuffled] for name, values in table.items()})
    straight = sensor(context_for, table)
    assert result.predictions == straight.predictions


def test_two_runs_agree_and_the_result_is_json(context_for):
    data, _ = plant()
    first, second = sensor(context_for, data), sensor(context_for, data)
    assert first == second
    document = json.loads(first.model_dump_json())
    assert document["predictions"][0].keys() >= {"row", "mean", "lower", "upper", "applicable"}


@pytest.mark.parametrize(
    ("change", "parameters", "kind", "text"),
    [
        ({}, {"target": "X"}, UnknownTagError, "no tag 'X'"),
        ({}, {"inputs": ("T", "Q")}, ParameterError, "own input"),
        ({}, {"inputs": ("Z",)}, UnknownTagError, "no tag 'Z'"),
        ({"Q": ["off"] * ROWS}, {}, UnknownTagError, "'Q' holds no numbers"),
        ({"Q": np.full(ROWS, np.nan)}, {}, InsufficientDataError, "at least 30"),
        ({"Q": np.full(ROWS, 5.0)}, {}, InsufficientDataError, "never changes"),
        (
            {name: np.ones(ROWS) for name in ("T", "P", "F")},
            {},
            InsufficientDataError,
            "no input changes",
        ),
        ({}, {"train_rows": (0, 1500)}, ParameterError, "rows 0 to 1499"),
        ({}, {"train_rows": (0, 1499)}, ParameterError, "no row is left"),
        ({}, {"predict_rows": (1490, 1500)}, ParameterError, "predict_rows"),
        ({}, {"train_rows": (500, 400)}, ParameterError, "ends before it begins"),
        (
            {},
            {"train_rows": (0, 999), "predict_rows": (999, 1100)},
            ParameterError,
            "rows from 999 are to be estimated, and rows up to 999",
        ),
        ({}, {"train_rows": (0, 20)}, InsufficientDataError, "2 samples of rows 0 to 20"),
        ({}, {"delay": 1499}, InsufficientDataError, "0 samples"),
        ({}, {"delay": 950}, InsufficientDataError, "samples come after 18 others"),
    ],
)
def test_what_cannot_work_is_refused(context_for, change, parameters, kind, text):
    data, _ = plant()
    with pytest.raises(kind, match=text):
        run(SoftSensorInput(**{"target": "Q", **parameters}), context_for({**data, **change}))


@pytest.mark.parametrize(
    ("field", "value"),
    [("delay", -1), ("train_rows", (-1, 5)), ("train_rows", (1, 2, 3)), ("stamp", "late")],
)
def test_parameters_that_make_no_sense_are_refused_by_name(field, value):
    with pytest.raises(ValidationError, match=field):
        SoftSensorInput(**{"target": "Q", field: value})


def test_the_debutanizer_is_estimated_better_than_by_carrying_forward(context_for, shared):
    """Rows before those that are published on, so that nothing here can be fitted to them."""
    data = np.loadtxt(shared / "data/softsensor/debutanizer_data.txt", skiprows=2)
    columns = {f"u{i + 1}": data[:, i] for i in range(7)} | {"y": data[:, 7]}
    parameters = SoftSensorInput(
        target="y", delay=8, train_rows=(0, 699), predict_rows=(1000, 1599)
    )
    result = run(parameters, context_for(columns))
    assert result.held_out.samples == 600
    last = data[1000:1600, 7] - data[992:1592, 7]
    assert result.held_out.rmse_last_sample == pytest.approx(np.sqrt(np.mean(last**2)))
    assert result.held_out.rmse < 0.75 * result.held_out.rmse_last_sample
    assert result.held_out.coverage > 0.85
    assert np.mean([point.applicable for point in result.predictions]) > 0.7
