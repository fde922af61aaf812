"""The historian: nothing twice, nothing lost but the last two seconds, little memory."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import DatabaseUnavailableError, UnknownTagError
from orchestrator.plant.historian import Historian
from orchestrator.plant.samples import Quality, SampleBlock
from orchestrator.plant.stores import Tier

START = datetime(2024, 1, 1, tzinfo=UTC)
ALL = (None, None)


def block(
    minutes: list[float], values: list[list[float]], tags: str = "ab", quality: int | None = None
) -> SampleBlock:
    """Rows at minutes after START; NaN is no sample unless a quality is given."""
    array = np.array(values, dtype=np.float64)
    codes = np.where(np.isnan(array), np.uint8(Quality.NONE), np.uint8(Quality.GOOD))
    if quality is not None:
        codes[:] = quality
    microseconds = np.array([round(m * 60e6) for m in minutes], dtype="timedelta64[us]")
    times = np.datetime64("2024-01-01", "us") + microseconds
    return SampleBlock(tuple(tags), times, array, codes)


def rows(table: pa.Table) -> list[tuple[float, ...]]:
    """(minutes after START, values...) of a wide table."""
    columns = table.to_pydict()
    at = [(time - START) / timedelta(minutes=1) for time in columns.pop("time")]
    return list(zip(at, *columns.values(), strict=True))


Opened = Callable[..., Historian]


@pytest.fixture(params=["duckdb", "postgresql"])
def opened(request: pytest.FixtureRequest) -> Opened:
    """Opens a historian on either kind of store; one without a path is empty."""
    if request.param == "duckdb":
        return Historian
    pytest.importorskip("psycopg", reason="needs psycopg")
    url = request.getfixturevalue("postgres_url")

    def on_postgresql(path: Path | None, **wanted: Any) -> Historian:
        if path is None:
            import psycopg

            with psycopg.connect(url) as connection:
                found = connection.execute(
                    "SELECT relname FROM pg_class WHERE relname IN ('historian_tags',"
                    " 'historian_samples', 'historian_means', 'historian_latest')"
                ).fetchall()
                for (table,) in found:
                    connection.execute(f"TRUNCATE {table}")
        return Historian(None, database_url=url, **wanted)

    return on_postgresql


def test_gives_back_what_was_appended(opened: Opened) -> None:
    with opened(None) as historian:
        historian.append(block([0, 1], [[1, 10], [2, np.nan]]))
        historian.append(block([2], [[30]], "c"))
        table = historian.read(["c", "a", "b"], *ALL)
        assert table.schema.names == ["time", "c", "a", "b"]
        assert table.schema.field("time").type == pa.timestamp("us", "UTC")
        assert rows(table) == [(0, None, 1, 10), (1, None, 2, None), (2, 30, None, None)]
        assert historian.tags() == ["a", "b", "c"]
        assert historian.count() == 4
        assert historian.span() == (START, START + timedelta(minutes=2))


def test_range_includes_both_ends(opened: Opened) -> None:
    with opened(None) as historian:
        historian.append(block([0, 1, 2, 3], [[i, i] for i in range(4)]))
        table = historian.read(["a"], START + timedelta(minutes=1), START + timedelta(minutes=2))
        assert rows(table) == [(1, 1), (2, 2)]


def test_bad_is_null_in_a_range_and_bad_among_the_last_values(opened: Opened) -> None:
    with opened(None) as historian:
        historian.append(block([0], [[1, 1]]))
        historian.append(block([1], [[7, np.nan]], quality=Quality.BAD))
        historian.append(block([2], [[9, 9]], quality=Quality.UNCERTAIN))
        historian.append(block([3], [[np.nan, 5]], quality=Quality.BAD))
        assert rows(historian.read(["a", "b"], *ALL)) == [
            (0, 1, 1), (1, None, None), (2, 9, 9), (3, None, None)
        ]  # fmt: skip
        last = historian.last_values()
        assert (last["a"].quality, last["a"].value) == (Quality.BAD, None)
        assert last["a"].source_time == START + timedelta(minutes=3)


def test_means_over_a_period_count_only_usable_values(opened: Opened) -> None:
    with opened(None) as historian:
        historian.append(block([0, 1, 4.9, 5, 12], [[1, 1], [2, 1], [6, 1], [7, np.nan], [8, 2]]))
        historian.append(block([2], [[1000, 1000]], quality=Quality.BAD))
        table = historian.read(["a", "b"], *ALL, period_seconds=300)
        assert rows(table) == [(0, 3, 1), (5, 7, None), (10, 8, 2)]


def test_empty_historian(opened: Opened) -> None:
    with opened(None) as historian:
        assert (historian.span(), historian.count(), historian.tags()) == (None, 0, [])
        assert historian.last_values() == {}
        assert historian.read([], *ALL).num_rows == 0
        historian.append(block([0], [[np.nan, np.nan]]))
        assert (historian.span(), historian.count()) == (None, 0)


def test_unknown_tag(opened: Opened, tmp_path: Path) -> None:
    with opened(None) as historian:
        historian.append(block([0], [[1, 2]]))
        with pytest.raises(UnknownTagError, match="'z'"):
            historian.read(["a", "z"], *ALL)
        assert historian.last_values(["a", "z"]).keys() == {"a"}
        # A tag of the plant that has not delivered yet must not fail an operation.
        assert historian.write_range(tmp_path / "range.arrow", ["a", "z"], *ALL) == 1
        with pa.OSFile(str(tmp_path / "range.arrow")) as file:
            assert rows(pa.ipc.open_file(file).read_all()) == [(0, 1, None)]


def test_one_sample_a_tag_and_time_in_one_buffer_and_across_flushes(opened: Opened) -> None:
    with opened(None) as historian:
        historian.append(block([0, 1], [[1, 1], [2, 2]]))
        historian.append(block([1, 0], [[20, np.nan], [np.nan, 10]]))
        assert rows(historian.read(["a", "b"], *ALL)) == [(0, 1, 10), (1, 20, 2)]
        historian.flush()
        historian.append(block([1], [[200, 200]]))
        historian.append(block([0.5], [[5, np.nan]]))
        assert rows(historian.read(["a", "b"], *ALL)) == [(0, 1, 10), (0.5, 5, None), (1, 200, 200)]
        assert historian.count() == 5
        assert historian.last_values()["a"].value == 200


samples = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from(["a", "b", "ab", "ba"]),
        st.integers(0, 99),
        st.booleans(),
    ),
    max_size=40,
)


@settings(max_examples=25, deadline=None)
@given(samples)
def test_last_write_wins_whatever_the_order(appended: list[tuple[int, str, int, bool]]) -> None:
    expected: dict[tuple[int, str], float] = {}
    with Historian(None) as historian:
        for minute, tags, value, flush in appended:
            historian.append(block([minute], [[float(value)] * len(tags)], tags))
            expected |= {(minute, tag): float(value) for tag in tags}
            if flush:
                historian.flush()
        known = historian.tags()
        got = {
            (int(minute), tag): value
            for minute, *values in rows(historian.read(known, *ALL))
            for tag, value in zip(known, values, strict=True)
            if value is not None
        }
        assert got == expected
        assert historian.count() == len(expected)
        newest = {tag: max(m for m, t in expected if t == tag) for tag in known}
        for tag, sample in historian.last_values().items():
            assert sample.source_time == START + timedelta(minutes=newest[tag])
            assert sample.value == expected[newest[tag], tag]


def test_reopened_file_knows_everything(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "historian.duckdb"
    with opened(path) as historian:
        historian.append(block([0, 1], [[1, 10], [2, np.nan]]))
        before = historian.last_values()
    with opened(path) as historian:
        assert historian.span() == (START, START + timedelta(minutes=1))
        after = historian.last_values()
        assert {k: (s.value, s.source_time) for k, s in after.items()} == {
            k: (s.value, s.source_time) for k, s in before.items()
        }
        historian.append(block([1], [[3, 30]], "bc"))
        assert rows(historian.read(["a", "b", "c"], *ALL)) == [(0, 1, 10, None), (1, 2, 3, 30)]


def test_killed_process_loses_nothing_older_than_two_seconds(tmp_path: Path) -> None:
    path = tmp_path / "historian.duckdb"
    program = textwrap.dedent(
        """
        import sys, time
        import numpy as np
        from orchestrator.plant.historian import Historian
        from orchestrator.plant.samples import SampleBlock

        historian = Historian(sys.argv[1])
        zero = np.zeros((1, 1), np.uint8)
        started = time.monotonic()
        for i in range(1_000_000):
            at = np.datetime64("2024-01-01", "us") + np.timedelta64(i, "s")
            historian.append(SampleBlock(("a",), np.array([at]), np.array([[float(i)]]), zero))
            print(i, time.monotonic() - started, flush=True)
            time.sleep(0.005)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    seen: list[tuple[int, float]] = []
    stalled = 0.0  # a machine that keeps the process from running keeps no promise for it
    for line in process.stdout:
        number, seconds = line.split()
        if seen and float(seconds) - seen[-1][1] > 0.2:
            stalled = float(seconds)
        seen.append((int(number), float(seconds)))
        if seen[-1][1] - stalled > 3.5 or seen[-1][1] > 60:
            process.kill()
            break
    process.stdout.close()
    process.wait(10)
    old_enough = [number for number, seconds in seen if seconds < seen[-1][1] - 2]
    with Historian(path) as historian:
        stored = [value for _, value in rows(historian.read(["a"], *ALL))]
        assert historian.last_values()["a"].value == stored[-1]
    assert stored == [float(i) for i in range(len(stored))]
    assert len(stored) >= len(old_enough) > 0


def test_file_of_another_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "historian.duckdb"
    with Historian(path):
        program = (
            "import sys\n"
            "from orchestrator.errors import HomeLockedError\n"
            "from orchestrator.plant.historian import Historian\n"
            "try:\n    Historian(sys.argv[1])\nexcept HomeLockedError:\n    sys.exit(7)\n"
        )
        done = subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60)
    assert done.returncode == 7


def test_damaged_file_and_use_after_close(tmp_path: Path) -> None:
    path = tmp_path / "historian.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(DatabaseUnavailableError, match="cannot be opened"):
        Historian(path)
    historian = Historian(None)
    folder = historian.path.parent
    historian.close()
    historian.close()
    assert not folder.exists()
    with pytest.raises(DatabaseUnavailableError, match="closed"):
        historian.append(block([0], [[1, 1]]))
    with pytest.raises(DatabaseUnavailableError, match="closed"):
        historian.read(["a"], *ALL)


def test_samples_are_written_without_anyone_asking(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "historian.duckdb"
    with opened(path) as historian:
        historian.append(block([0], [[1, 1]]))
        deadline = time.monotonic() + 10
        while historian._store.count() < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not historian._pending
        assert historian._store.count() == 2


def test_retention_counts_from_the_newest_sample_but_not_from_the_future(opened: Opened) -> None:
    day = 24 * 60
    with opened(None, retention_days=10) as historian:
        historian.append(block([0, 5 * day, 20 * day], [[1, 1], [2, 2], [3, 3]]))
        assert rows(historian.read(["a"], *ALL)) == [(20 * day, 3)]
        assert historian.span() == (START + timedelta(days=20), START + timedelta(days=20))
    now = (datetime.now(UTC) - START) / timedelta(minutes=1)
    with opened(None, retention_days=10) as historian:
        historian.append(block([now - day, now, now + 9000 * day], [[1, 1], [2, 2], [3, 3]]))
        assert historian.count() == 6
    with opened(None, retention_days=None) as historian:
        historian.append(block([0, 9000 * day], [[1, 1], [2, 2]]))
        assert historian.count() == 4


def test_old_samples_become_means_and_older_ones_coarser_means(opened: Opened) -> None:
    day = 24 * 60
    tiers = [
        Tier(timedelta(days=10), timedelta(hours=1)),
        Tier(timedelta(days=1), timedelta(minutes=1)),
    ]
    with opened(None, retention_days=None, tiers=tiers) as historian:
        seconds = [i / 6 for i in range(12)]  # two minutes of 10 s
        values = [[float(i), 1.0] for i in range(12)]
        values[5] = [1e6, 1.0]
        historian.append(block(seconds[:5], values[:5]))
        historian.append(block([seconds[5]], [values[5]], quality=Quality.BAD))
        historian.append(block(seconds[6:], values[6:]))
        historian.append(block([3], [[np.nan, np.nan]], quality=Quality.BAD))
        historian.flush()
        assert historian.count() == 26
        historian.append(block([2 * day], [[7, 7]]))
        historian._thinned_at = float("-inf")
        historian.flush()
        fine = rows(historian.read(["a", "b"], *ALL))
        assert fine == [(0, 2, 1), (1, 8.5, 1), (3, None, None), (2 * day, 7, 7)]
        # The mean of means counts each by the samples that it stands for.
        hour = rows(historian.read(["a", "b"], None, START + timedelta(hours=1), 3600))
        assert hour == [(0, pytest.approx((0 + 1 + 2 + 3 + 4 + 51) / 11), 1)]
        # What comes late for a thinned minute joins its mean.
        historian.append(block([0.9], [[62, np.nan]]))
        historian.append(block([20 * day], [[9, 9]]))
        historian._thinned_at = float("-inf")
        historian.flush()
        coarse = rows(historian.read(["a", "b"], *ALL))
        late = (0 + 1 + 2 + 3 + 4 + 51 + 62) / 12
        assert coarse == [(0, pytest.approx(late), 1), (2 * day, 7, 7), (20 * day, 9, 9)]
        assert historian.span() == (START, START + timedelta(days=20))
        assert historian.count() == 6


def test_thinned_file_is_the_same_when_opened_again(opened: Opened, tmp_path: Path) -> None:
    tiers = [Tier(timedelta(hours=1), timedelta(minutes=10))]
    path = tmp_path / "historian.duckdb"
    with opened(path, retention_days=None, tiers=tiers) as historian:
        historian.append(block([float(i) for i in range(180)], [[i, -i] for i in range(180)]))
        historian.flush()
        before = historian.read(["b", "a"], *ALL)
        assert before.num_rows < 100
    with opened(path, retention_days=None, tiers=tiers) as historian:
        assert historian.read(["b", "a"], *ALL).equals(before)
        assert historian.last_values()["a"].value == 179


def test_reader_on_another_connection_sees_what_the_writer_committed(postgres_url: str) -> None:
    pytest.importorskip("psycopg", reason="needs psycopg")
    with (
        Historian(None, database_url=postgres_url) as writer,
        Historian(None, database_url=postgres_url) as reader,
    ):
        writer.append(block([0, 1], [[1, 2], [3, 4]]))
        writer.flush()
        assert reader.count() == 4


def test_unreachable_postgresql_names_no_password() -> None:
    pytest.importorskip("psycopg", reason="needs psycopg")
    url = "postgresql://someone:s3cret-word@127.0.0.1:1/nothing"
    with pytest.raises(DatabaseUnavailableError) as caught:
        Historian(None, database_url=url)
    assert "s3cret-word" not in str(caught.value)
    assert "127.0.0.1/nothing" in str(caught.value)


def test_threads_append_and_read_together(opened: Opened) -> None:
    errors: list[BaseException] = []
    with opened(None) as historian:
        historian.append(block([0], [[0, 0]]))

        def append(tag: str) -> None:
            try:
                for i in range(300):
                    historian.append(block([i], [[i]], tag))
            except BaseException as error:  # noqa: BLE001
                errors.append(error)

        def read() -> None:
            try:
                for _ in range(20):
                    table = historian.read(["a"], *ALL)
                    assert table.num_rows >= 1
                    historian.last_values()
            except BaseException as error:  # noqa: BLE001
                errors.append(error)

        threads = [threading.Thread(target=append, args=(tag,)) for tag in "cde"]
        threads += [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert historian.count() == 2 + 900


def test_wide_ranges_stream_in_pieces_that_together_are_the_whole(opened: Opened) -> None:
    generator = np.random.default_rng(0)
    with opened(None) as historian:
        values = generator.normal(size=(5000, 40))
        values[generator.random(values.shape) < 0.2] = np.nan
        tags = tuple(f"t{i}" for i in range(40))
        quality = np.where(np.isnan(values), np.uint8(Quality.NONE), np.uint8(Quality.GOOD))
        times = np.datetime64("2024-01-01", "us") + np.arange(5000) * np.timedelta64(1, "s")
        order = generator.permutation(5)
        for part in order:
            rows_of = slice(part * 1000, (part + 1) * 1000)
            historian.append(SampleBlock(tags, times[rows_of], values[rows_of], quality[rows_of]))
            historian.flush()
        pieces = list(historian.iter_read(tags, *ALL, rows=700))
        assert max(piece.num_rows for piece in pieces) <= 700
        together = pa.concat_tables(pieces)
        assert together.equals(historian.read(tags, *ALL))
        got = np.column_stack([together.column(tag).to_numpy() for tag in tags])
        np.testing.assert_array_equal(got, values)


@pytest.mark.slow
def test_ten_million_values_in_and_out_stay_under_600_megabytes() -> None:
    program = textwrap.dedent(
        """
        import resource
        import numpy as np
        from orchestrator.plant.historian import Historian
        from orchestrator.plant.samples import SampleBlock

        tags = tuple(f"t{i}" for i in range(50))
        generator = np.random.default_rng(0)
        with Historian(None) as historian:
            for i in range(200):
                times = np.datetime64("2024-01-01", "us") + (np.arange(1000) + 1000 * i) * np.timedelta64(1, "s")
                values = generator.normal(size=(1000, 50))
                historian.append(SampleBlock(tags, times, values, np.zeros(values.shape, np.uint8)))
            read = sum(table.num_rows for table in historian.iter_read(tags, None, None))
            assert read == 200_000 and historian.count() == 10_000_000
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=170
    )
    assert int(done.stdout) < 600
