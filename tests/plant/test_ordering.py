"""Rows of any order come out by time, each once, and rows of one time in the order in which they came."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.plant import ordering
from orchestrator.plant.ordering import sorted_blocks, sorted_rows
from orchestrator.plant.pivot import LongRows
from orchestrator.plant.samples import Quality, SampleBlock


def rows_of(times: np.ndarray) -> LongRows:
    """The value of a row is its place."""
    count = len(times)
    place = np.arange(count)
    return LongRows(
        times.astype(np.int64), (place % 7).astype(np.int32), place.astype(np.float64),
        (place % 4).astype(np.uint8),
    )  # fmt: skip


def joined(parts: list[LongRows]) -> LongRows:
    return LongRows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 3000),
    different=st.integers(1, 4000),
    run=st.integers(1, 400),
    batch=st.integers(1, 200),
)
def test_it_is_a_stable_sort_whatever_the_runs(seed, count, different, run, batch):
    rng = np.random.default_rng(seed)
    rows = rows_of(rng.integers(0, different, size=count))
    cuts = np.sort(rng.integers(0, count + 1, size=5)).tolist()
    parts = [rows.part(a, b) for a, b in zip([0, *cuts], [*cuts, count], strict=True)]
    kept = ordering.RUN_BYTES, ordering.BATCH_BYTES
    ordering.RUN_BYTES, ordering.BATCH_BYTES = run * 21, batch * 21
    try:
        batches = list(sorted_rows(parts, where="test"))
    finally:
        ordering.RUN_BYTES, ordering.BATCH_BYTES = kept
    order = np.argsort(rows.times, kind="stable")
    found = joined(batches)
    for column, expected in zip(found, rows, strict=True):
        assert np.array_equal(column, expected[order])
    # a time is never cut in two
    ends = [(b.times[0], b.times[-1]) for b in batches]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ends))


def test_wide_rows_keep_values_and_quality_together(monkeypatch):
    monkeypatch.setattr(ordering, "RUN_BYTES", 5_000)
    monkeypatch.setattr(ordering, "BATCH_BYTES", 2_000)
    rng = np.random.default_rng(3)
    times = rng.permutation(2000).astype("datetime64[us]")
    values = np.stack([times.astype(float), -times.astype(float)], axis=1)
    quality = (np.stack([times.astype(int), times.astype(int) + 1], axis=1) % 4).astype(np.uint8)
    blocks = [
        SampleBlock(("a", "b"), times[i : i + 300], values[i : i + 300], quality[i : i + 300])
        for i in range(0, 2000, 300)
    ]
    found = list(sorted_blocks(blocks, ("a", "b"), where="test"))
    whole = np.concatenate([b.values for b in found])
    assert len(found) > 10
    assert np.array_equal(whole[:, 0], np.arange(2000.0))
    assert np.array_equal(whole[:, 1], -np.arange(2000.0))
    assert np.array_equal(
        np.concatenate([b.quality for b in found])[:, 1], (np.arange(2000) + 1) % 4
    )
    assert Quality.NONE in found[0].quality
    found[0].values[0, 0] = 1.0  # what is handed on may be changed


NO_ROOM = """
import resource
import numpy as np
from orchestrator.errors import DataError
from orchestrator.plant.ordering import sorted_rows
from orchestrator.plant.pivot import LongRows
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
times = np.arange(100_000)[::-1]
rows = LongRows(times, np.zeros(100_000, np.int32), times * 1.0, np.zeros(100_000, np.uint8))
try:
    list(sorted_rows([rows], where="long.csv"))
except DataError as error:
    print(error)
"""


def test_no_room_to_sort_says_what_to_do():
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM], capture_output=True, text=True, check=True
    )
    assert "no room to sort them" in done.stdout
    assert "free space in" in done.stdout
    assert "long.csv" in done.stdout


MEASURE = """
import resource, sys
import numpy as np
from orchestrator.plant.ordering import sorted_rows
from orchestrator.plant.pivot import LongRows
def parts():
    for tag in range(int(sys.argv[1])):
        times = np.arange(100_000)
        yield LongRows(times, np.full(100_000, tag, np.int32), times * 1.0, np.zeros(100_000, np.uint8))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(len(part.times) for part in sorted_rows(parts(), where="test"))
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_does_not_grow_with_the_rows():
    def taken(tags: int) -> int:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(tags)], capture_output=True, text=True, check=True
        )
        rows, megabytes = map(int, done.stdout.split())
        assert rows == tags * 100_000
        return megabytes

    # 21 bytes a row: the larger one would need 170 MB if it were held
    assert taken(80) < taken(20) + 40
