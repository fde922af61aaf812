"""Canonical variates with memory: rates that hold, the right tag, and the same answer however rows are cut."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import InsufficientDataError
from orchestrator.monitoring.canonical import CanonicalVariates
from orchestrator.monitoring.diagnosis import diagnose, directions
from orchestrator.monitoring.dynamic import DynamicDetector
from orchestrator.monitoring.tails import joint_limits, tail_quantile
from orchestrator.plant.signatures import Signature, SignaturePart
from orchestrator.plant.tags import Tag

SECOND = 1_000_000
TAGS = 6


def record(rows: int, seed: int) -> np.ndarray:
    """Two states with memory, seen by six tags with noise; unit variance."""
    random = np.random.default_rng(seed)
    states = np.zeros((rows + 100, 2))
    for row in range(1, rows + 100):
        states[row] = [0.9, 0.6] * states[row - 1] + random.standard_normal(2) * [0.44, 0.8]
    mixing = np.random.default_rng(7).standard_normal((2, TAGS))
    values = states[100:] @ mixing + 0.5 * random.standard_normal((rows, TAGS))
    scaled: np.ndarray = values / np.sqrt((mixing**2).sum(axis=0) + 0.25)
    return scaled


def times(rows: int) -> np.ndarray:
    return np.arange(rows, dtype=np.int64) * SECOND


def detector(rate: float = 0.01) -> DynamicDetector:
    return DynamicDetector(record(800, 1), times(800), 1.0, rate)


def test_it_finds_the_states_that_made_the_record() -> None:
    assert CanonicalVariates([record(2000, 1)], 2).states == 2


def test_the_stated_rate_holds_on_rows_it_has_never_seen() -> None:
    found = detector(0.02)
    share = np.mean([found_share(found, seed) for seed in range(10, 20)])
    assert share == pytest.approx(0.02, abs=0.015)


def test_a_missing_value_is_set_to_what_the_rest_of_the_past_tells() -> None:
    model = CanonicalVariates([record(2000, 1)], 2)
    covariance = np.linalg.inv(model.whiten @ model.whiten.T)
    past = record(2, 9)[::-1].reshape(-1) - model.shift
    unknown = np.array([1, 4, 8])
    known = np.setdiff1d(np.arange(2 * TAGS), unknown)
    among_known = covariance[np.ix_(known, known)]
    told = covariance[np.ix_(unknown, known)] @ np.linalg.solve(among_known, past[known])
    given_past = past + model.shift
    given_past[unknown] = np.nan
    newest = model.expected_newest(given_past)
    assert newest[[1, 4]] == pytest.approx(told[:2] + model.shift[[1, 4]])
    assert newest[[0, 2, 3, 5]] == pytest.approx((past + model.shift)[[0, 2, 3, 5]])


@pytest.mark.parametrize("share", [0.002, 0.03, 0.15])
def test_values_that_are_missing_here_and_there_raise_no_statistic(share: float) -> None:
    found = detector(0.02)
    rates = []
    for seed in range(10, 20):
        rows = record(1000, seed)
        rows[np.random.default_rng(seed).random(rows.shape) < share] = np.nan
        found.reset()
        rates.append(found.step(rows, times(1000)).over.mean())
    assert np.mean(rates) <= 0.035


def found_share(found: DynamicDetector, seed: int) -> float:
    found.reset()
    return float(found.step(record(1000, seed), times(1000)).over.mean())


def test_calibration_meets_its_rate_exactly_on_its_record() -> None:
    found = detector()
    normal = record(1000, 2)
    found.calibrate(normal, times(1000), 0.05)
    assert found.step(normal, times(1000)).over.mean() == pytest.approx(0.05, abs=0.004)


@pytest.mark.parametrize("tag", range(TAGS))
def test_a_shift_that_no_single_row_shows_is_found_and_named(tag: int) -> None:
    found = detector()
    rows = record(1000, 3)
    rows[500:, tag] += 0.9
    scores = found.step(rows, times(1000))
    assert scores.over[560:].mean() > 0.9
    late = type(scores)(scores.ratios[-50:], scores.q[-50:], scores.average[-50:])
    shares = found.contributions(late)
    assert int(np.argmax(shares)) == tag
    assert shares.sum() == pytest.approx(1.0)
    assert (shares >= 0).all()


def test_statistics_return_to_normal_soon_after_a_large_upset_ends() -> None:
    found = detector()
    rows = record(600, 4)
    rows[200:260] += 50.0
    over = found.step(rows, times(600)).over
    assert over[200:260].all()
    assert over[340:].mean() < 0.1


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 299), max_size=10),
    gap=st.integers(0, 299),
    seconds=st.integers(1, 50),
    missing=st.lists(st.tuples(st.integers(0, 299), st.integers(0, TAGS - 1)), max_size=30),
)
def test_what_it_says_does_not_depend_on_how_the_rows_are_cut(
    cuts: list[int], gap: int, seconds: int, missing: list[tuple[int, int]]
) -> None:
    whole, pieces = FITTED
    whole.reset()
    pieces.reset()
    rows, stamps = record(300, 5), times(300)
    stamps[gap:] += seconds * SECOND
    for row, tag in missing:
        rows[row, tag] = np.nan
    expected = whole.step(rows, stamps).ratios
    parts = [
        pieces.step(rows[first:last], stamps[first:last]).ratios
        for first, last in itertools.pairwise(sorted({0, 300, *cuts}))
    ]
    assert np.concatenate(parts) == pytest.approx(expected, rel=1e-9)


FITTED = (detector(), detector())


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(InsufficientDataError):
        DynamicDetector(record(150, 1), times(150), 1.0, 0.01)


def test_a_tail_is_carried_on_beyond_the_data() -> None:
    values = np.random.default_rng(1).exponential(size=2000)
    assert tail_quantile(values, 2e-4) == pytest.approx(-np.log(2e-4), rel=0.25)


def test_limits_of_statistics_watched_together_share_one_rate() -> None:
    values = np.random.default_rng(1).standard_normal((4, 20_000))
    limits = joint_limits(values, 0.02)
    assert (values > limits[:, None]).any(axis=0).mean() == pytest.approx(0.02, abs=0.002)
    # One statistic four times over needs no wider limits than one.
    same = joint_limits(np.tile(values[:1], (4, 1)), 0.02)
    assert same[0] == pytest.approx(np.quantile(values[0], 0.98), rel=1e-3)


PUMP = Signature(
    cause="the charge pump",
    parts=(SignaturePart(tags=("FI-*",), direction="down"), SignaturePart(tags=("PI-1",))),
    all_parts=True,
)


def test_a_signature_of_the_plant_goes_before_the_shipped_ones() -> None:
    tags = [Tag(name="FI-1", kind="flow", area="charge"), Tag(name="PI-1", kind="pressure")]
    found = diagnose(tags, np.array([0.7, 0.3]), ["down", "any"], [PUMP])
    assert found.cause == "the charge pump"
    ((area, share),) = found.areas
    assert (area, share) == ("charge", 0.7)
    assert "FI-1 low 70%" in found.text
    other = diagnose(tags, np.array([0.7, 0.3]), ["up", "any"], [PUMP])
    assert other.cause != "the charge pump"


def test_directions_tell_a_level_from_a_swing() -> None:
    rows = np.zeros((40, 3))
    rows[:, 0] = 4.0
    rows[::2, 1], rows[1::2, 1] = 5.0, -5.0
    assert directions(rows) == ["up", "unsteady", "any"]
