"""Means over bins: the same however the samples are cut into blocks, and equal to plain means."""

import itertools
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.plant.binned import BinnedMeans
from orchestrator.plant.samples import Quality, SampleBlock, to_datetime

BASE = np.datetime64("2026-01-01T00:00:00", "us")
WIDTH = timedelta(hours=1)
BINS = 6


@st.composite
def streams(draw) -> tuple[SampleBlock, list[int]]:
    minutes = sorted(draw(st.lists(st.integers(0, 60 * 10), min_size=1, max_size=40, unique=True)))
    shape = (len(minutes), 2)
    values = np.array(
        draw(st.lists(st.floats(-1e3, 1e3), min_size=shape[0] * 2, max_size=shape[0] * 2))
    ).reshape(shape)
    quality = np.array(
        draw(st.lists(st.sampled_from([0, 1, 2, 3]), min_size=values.size, max_size=values.size)),
        dtype=np.uint8,
    ).reshape(shape)
    times = BASE + np.array(minutes).astype("timedelta64[m]")
    cuts = draw(st.lists(st.integers(1, max(1, len(minutes) - 1)), max_size=5))
    return SampleBlock(("A", "B"), times, values, quality), sorted({0, *cuts, len(minutes)})


@settings(max_examples=200, deadline=None)
@given(streams())
def test_means_equal_plain_means_however_the_stream_is_cut(stream) -> None:
    block, cuts = stream
    binned = BinnedMeans(("B", "A", "ABSENT"), WIDTH, BINS)
    for first, last in itertools.pairwise(cuts):
        if last > first:
            binned.update(block.rows(first, last))
    end = block.times[-1]
    means = binned.means(to_datetime(end), BINS)
    newest = int((end - BASE) // np.timedelta64(1, "h"))
    hour = ((block.times - BASE) // np.timedelta64(1, "h")).astype(int)
    for j, tag in enumerate(block.tags):
        usable = block.quality[:, j] <= Quality.UNCERTAIN
        for k in range(BINS):
            part = block.values[(hour == newest - BINS + 1 + k) & usable, j]
            expected = part.mean() if len(part) else np.nan
            np.testing.assert_allclose(means[tag][k], expected, rtol=1e-9, atol=1e-9)
    assert np.isnan(means["ABSENT"]).all()


def test_a_range_beyond_the_newest_bin_is_unknown() -> None:
    binned = BinnedMeans(("A",), WIDTH, BINS)
    one = np.ones((1, 1))
    binned.update(SampleBlock(("A",), np.array([BASE]), one, np.zeros((1, 1), np.uint8)))
    late = datetime(2026, 1, 1, 9, tzinfo=UTC)
    assert np.isnan(binned.means(late, BINS)["A"]).all()
    assert np.isnan(binned.pooled(late, 2)["A"])
