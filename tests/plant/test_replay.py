"""Replaying files: blocks on the grid, units, unknown tags, real plant data."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import DataError, UnknownTagError
from orchestrator.plant.pivot import joined
from orchestrator.plant.samples import Quality, SampleBlock
from orchestrator.plant.sources.base import Pacer, Source, split_by_span
from orchestrator.plant.sources.replay import ReplaySource
from orchestrator.plant.tags import Plant, Tag

SHARED = Path(__file__).parents[3] / "shared" / "data"
MINUTE = timedelta(minutes=1)

needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason=f"reference data is absent: {SHARED}")


def written(folder: Path, text: str) -> Path:
    path = folder / "file.csv"
    path.write_text(text, encoding="utf-8")
    return path


def steps(seconds: list[int]) -> SampleBlock:
    times = np.datetime64("2024-01-01", "us") + np.array(seconds, dtype="timedelta64[s]")
    values = np.array(seconds, dtype=np.float64).reshape(-1, 1)
    return SampleBlock(("a",), times, values, np.zeros(values.shape, dtype=np.uint8))


@settings(deadline=None)
@given(
    st.lists(st.integers(-100_000, 100_000), min_size=1, max_size=200, unique=True),
    st.lists(st.integers(0, 200), max_size=5),
    st.integers(1, 5000),
)
def test_blocks_stay_in_one_span_and_lose_nothing(
    seconds: list[int], cuts: list[int], width: int
) -> None:
    ordered = sorted(seconds)
    bounds = [0, *sorted(min(cut, len(ordered)) for cut in cuts), len(ordered)]
    parts = [steps(ordered[a:b]) for a, b in itertools.pairwise(bounds) if a < b]
    blocks = list(split_by_span(parts, timedelta(seconds=width)))
    assert joined(blocks).values[:, 0].tolist() == ordered
    spans = [{int(t) // (width * 10**6) for t in b.times.view(np.int64)} for b in blocks]
    assert all(len(span) == 1 for span in spans)
    # However the file is cut into pieces, one span is one block.
    assert len(set.union(*spans)) == len(blocks)


def test_span_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        list(split_by_span([steps([1])], timedelta(0)))


def test_is_a_source_and_can_be_replayed_twice(tmp_path: Path) -> None:
    path = written(
        tmp_path, "time,a\n2024-01-01T00:00,1\n2024-01-01T00:00:30,2\n2024-01-01T00:01,3\n"
    )
    source: Source = ReplaySource(path)
    for _ in range(2):
        assert [b.values[:, 0].tolist() for b in source.blocks(MINUTE)] == [[1, 2], [3]]
    assert list(source.history()) == []
    assert (source.name, source.simulated) == ("replay file.csv", False)
    source.close()
    assert list(source.blocks(MINUTE)) == []


def test_only_tags_of_the_plant_in_its_order(tmp_path: Path) -> None:
    path = written(tmp_path, "time,a,b,c\n2024-01-01,1,2,3\n")
    plant = Plant(tags=(Tag(name="c"), Tag(name="gone"), Tag(name="a")))
    source = ReplaySource(path, plant=plant)
    (block,) = source.blocks(MINUTE)
    assert (block.tags, block.values.tolist()) == (("c", "a"), [[3, 1]])
    assert source.plant is plant
    assert any("gone" in note for note in source.notes)
    assert any("only in the file: b" in note for note in source.notes)


def test_unknown_tags_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "time,a,b\n2024-01-01,1,2\n")
    with pytest.raises(UnknownTagError, match="'z'"):
        ReplaySource(path, tags=["a", "z"])
    with pytest.raises(UnknownTagError, match="none of the 1 tags"):
        ReplaySource(path, plant=Plant(tags=(Tag(name="x"),)))
    with pytest.raises(UnknownTagError, match="'b'"):
        ReplaySource(path, plant=Plant(tags=(Tag(name="a"),)), tags=["b"])
    assert ReplaySource(path, tags=["b"]).plant.tag_names == ("b",)


@pytest.mark.parametrize(
    "text",
    [
        "time,T,P\n,degF,bar\n2024-01-01,212,2\n",
        "time,tag,value,unit\n2024-01-01,T,212,degF\n2024-01-01,P,2,bar\n",
    ],
)
def test_units_are_converted_to_the_plant_s(tmp_path: Path, text: str) -> None:
    plant = Plant(tags=(Tag(name="T", unit="degC"), Tag(name="P", unit="kPa")))
    source = ReplaySource(written(tmp_path, text), plant=plant)
    (block,) = source.blocks(MINUTE)
    np.testing.assert_allclose(block.values, [[100, 200]])
    assert any("T is converted from degF to degC" in note for note in source.notes)
    wrong = Plant(tags=(Tag(name="T", unit="kPa"),))
    with pytest.raises(DataError, match=r"'T' is given in 'degF'.*'kPa'"):
        ReplaySource(written(tmp_path, text), plant=wrong)


def test_duplicates_and_disorder_are_reported(tmp_path: Path) -> None:
    path = written(tmp_path, "time,a\n2024-01-02,2\n2024-01-01,1\n2024-01-02,2\n2024-01-01,5\n")
    source = ReplaySource(path)
    assert joined(list(source.blocks(MINUTE))).values[:, 0].tolist() == [5, 2]
    assert any("sorted" in note for note in source.notes)
    assert any("1 repeats dropped, 1 with other values" in note for note in source.notes)
    notes = list(source.notes)
    list(source.blocks(MINUTE))
    assert source.notes == notes


def test_storm_of_missing_values_flows_through_as_bad(tmp_path: Path) -> None:
    at = np.datetime64("2024-01-01", "s") + np.arange(500) * np.timedelta64(1, "s")
    rows = [
        f"{t},{'NaN' if 100 <= i < 480 else i},{'' if i >= 50 else i}\n" for i, t in enumerate(at)
    ]
    block = joined(
        list(ReplaySource(written(tmp_path, "time,a,b\n" + "".join(rows))).blocks(MINUTE))
    )
    assert len(block) == 500
    assert (block.quality[100:480, 0] == Quality.BAD).all()
    assert (block.quality[50:, 1] == Quality.NONE).all()
    assert np.isnan(block.values[100:480, 0]).all()


@needs_data
@pytest.mark.parametrize("name", ["d00", "d05_te"])
def test_tennessee_eastman(name: str) -> None:
    source = ReplaySource(SHARED / "tep" / f"{name}.csv.gz")
    assert len(source.plant.tags) == 52
    assert source.plant.tag("XMEAS_9").period_seconds == 180
    blocks = list(source.blocks(MINUTE))
    assert {len(block) for block in blocks} == {1}
    assert len(blocks) == source.rows
    assert not (joined(blocks).quality != Quality.GOOD).any()


@needs_data
def test_real_crude_unit_with_empty_days_and_a_text_column() -> None:
    source = ReplaySource(SHARED / "cdu" / "cdu_daily.csv")
    block = joined(list(source.blocks(timedelta(days=1))))
    assert (block.start, block.end) == (
        datetime(2024, 6, 1, tzinfo=UTC),
        datetime(2025, 5, 31, tzinfo=UTC),
    )
    assert len(block) == 365
    assert any("month" in note for note in source.notes)
    flows = block.select(["Train_A_Raw_Crude_Flow"])
    assert int((flows.quality == Quality.NONE).sum()) >= 91
    assert source.plant.tag("Train_A_Raw_Crude_Flow").kind == "flow"
    assert source.plant.tag("Train_A_Raw_Crude_Flow").period_seconds == 86_400


async def test_pacer_holds_back_to_the_speed() -> None:
    pacer = Pacer(600)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    before = time.monotonic()
    for minute in range(4):
        await pacer.wait_for(start + timedelta(minutes=minute))
    assert time.monotonic() - before >= 0.299
    late = start + timedelta(minutes=3)
    before = time.monotonic()
    await pacer.wait_for(late)
    assert time.monotonic() - before < 0.05


async def test_pacer_as_fast_as_possible_still_lets_others_run() -> None:
    pacer = Pacer(0)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for day in range(100):
        await pacer.wait_for(datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day))
    task.cancel()
    assert turns >= 99


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_impossible_speed(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Pacer(speed)


@pytest.mark.slow
def test_ten_million_values_stream_through_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    generator = np.random.default_rng(0)
    at = np.datetime64("2024-01-01", "s") + np.arange(200_000) * np.timedelta64(180, "s")
    with path.open("w") as file:
        file.write("time," + ",".join(f"t{i}" for i in range(50)) + "\n")
        pool = [",".join(f"{v:.4f}" for v in generator.normal(size=50)) for _ in range(500)]
        file.writelines(f"{t},{pool[i % 500]}\n" for i, t in enumerate(at))
    program = textwrap.dedent(
        """
        import resource, sys, time
        from datetime import timedelta
        from orchestrator.plant.sources.replay import ReplaySource

        started = time.monotonic()
        blocks = ReplaySource(sys.argv[1]).blocks(timedelta(seconds=60))
        assert sum(block.values.size for block in blocks) == 10_000_000
        print(time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True, text=True, check=True, timeout=170,
    )  # fmt: skip
    seconds, megabytes = map(float, done.stdout.split())
    assert seconds < 60
    assert megabytes < 400
