"""Values that are revised: nothing is lost, and what was known at a time stays so."""

import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import DataError
from orchestrator.plant import vintages
from orchestrator.plant.vintages import Observation, VintageStore

FIRST = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
WEEK = timedelta(days=7)
FRIDAY = datetime(2026, 2, 27, tzinfo=UTC)


def stock(value: float | None, period: datetime = FRIDAY, **more) -> Observation:
    return Observation("WCESTUS1", period, value, "kbbl", **more)


def values(store: VintageStore, **asked) -> list[float | None]:
    return store.read(["WCESTUS1"], **asked).column("value").to_pylist()


def test_an_empty_store_answers_with_nothing(tmp_path: Path) -> None:
    store = VintageStore(tmp_path / "none")
    assert store.read().num_rows == 0
    assert store.read().column_names == ["series", "period", "value", "unit", "known_at"]
    assert store.revisions() == []
    assert store.spans() == {}
    assert not (tmp_path / "none").exists()


def test_a_revision_is_a_new_vintage_and_the_old_one_stays(tmp_path: Path) -> None:
    store = VintageStore(tmp_path)
    assert store.append([stock(440_000.0)], FIRST).new == 1
    stored = store.append([stock(441_500.0), stock(438_000.0, FRIDAY + WEEK)], FIRST + WEEK)
    assert (stored.new, stored.unchanged) == (1, 0)
    (revision,) = stored.revised
    assert (revision.before, revision.after, revision.known_at) == (440_000, 441_500, FIRST + WEEK)
    assert values(store) == [441_500, 438_000]
    assert values(store, as_known_at=FIRST) == [440_000]
    assert values(store, as_known_at=FIRST - timedelta(seconds=1)) == []
    assert values(store, as_known_at=FIRST + WEEK) == [441_500, 438_000]
    assert store.revisions() == [revision]
    assert store.revisions(since=FIRST + WEEK) == []
    assert store.revisions(as_known_at=FIRST) == []


def test_what_is_known_already_is_not_kept_again(tmp_path: Path) -> None:
    store = VintageStore(tmp_path)
    store.append([stock(440_000.0)], FIRST)
    files = list(tmp_path.glob("*.parquet"))
    stored = store.append([stock(440_000.0)], FIRST + WEEK)
    assert (stored.new, stored.revised, stored.unchanged) == (0, (), 1)
    assert list(tmp_path.glob("*.parquet")) == files
    assert store.read().column("known_at").to_pylist() == [FIRST]


def test_a_value_may_be_withdrawn_and_come_back(tmp_path: Path) -> None:
    store = VintageStore(tmp_path)
    assert store.append([stock(None)], FIRST).new == 0
    store.append([stock(440_000.0)], FIRST)
    assert store.append([stock(None)], FIRST + WEEK).revised[0].after is None
    assert values(store) == [None]
    back = store.append([stock(440_000.0)], FIRST + 2 * WEEK)
    assert back.revised[0].before is None
    assert values(store) == [440_000]
    assert [item.after for item in store.revisions()] == [None, 440_000]


def test_the_time_at_which_a_value_was_known_can_be_stated(tmp_path: Path) -> None:
    store = VintageStore(tmp_path)
    published = FRIDAY + timedelta(days=5)
    store.append([stock(440_000.0, known_at=published)], FIRST + 52 * WEEK)
    assert values(store, as_known_at=published) == [440_000]
    # A revision was learnt when it was stored, not when the value it replaces was published.
    store.append([stock(441_000.0, known_at=published)], FIRST + 53 * WEEK)
    assert values(store, as_known_at=FIRST + 52 * WEEK) == [440_000]
    assert values(store) == [441_000]


def test_an_archive_tells_what_was_known_then_and_changes_nothing_later(tmp_path: Path) -> None:
    store = VintageStore(tmp_path)
    store.append([stock(441_000.0)], FIRST + 4 * WEEK)
    for _ in range(2):  # to read it again changes nothing
        store.append([stock(440_500.0)], FIRST + WEEK, archive=True)
        store.append([stock(440_000.0)], FIRST, archive=True)
    store.append([stock(441_000.0)], FIRST + 5 * WEEK)
    assert values(store) == [441_000]
    assert values(store, as_known_at=FIRST) == [440_000]
    assert values(store, as_known_at=FIRST + WEEK) == [440_500]
    assert [(item.before, item.after) for item in store.revisions()] == [
        (440_000, 440_500),
        (440_500, 441_000),
    ]


def test_a_clock_that_went_back_does_not_hide_a_revision(tmp_path: Path) -> None:
    store = VintageStore(tmp_path)
    store.append([stock(440_000.0)], FIRST)
    store.append([stock(441_000.0)], FIRST - WEEK)
    assert values(store, as_known_at=FIRST - WEEK) == []
    assert len(store.revisions()) == 1


def test_many_files_become_one_and_nothing_changes(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(vintages, "MOST_FILES", 8)
    store = VintageStore(tmp_path)
    for week in range(20):
        store.append([stock(float(week), FRIDAY + week * WEEK)], FIRST + week * WEEK)
        store.append([stock(-1.0 - week, FRIDAY)], FIRST + week * WEEK + timedelta(hours=1))
    assert len(list(tmp_path.glob("*.parquet"))) <= 8
    assert values(store) == [-20.0, *map(float, range(1, 20))]
    assert values(store, as_known_at=FIRST + 3 * WEEK) == [-3.0, 1.0, 2.0, 3.0]
    assert len(store.revisions()) == 20


def test_what_a_crash_left_twice_counts_once(tmp_path: Path) -> None:
    store = VintageStore(tmp_path)
    store.append([stock(1.0)], FIRST)
    store.append([stock(2.0)], FIRST + WEEK)
    for file in list(tmp_path.glob("*.parquet")):
        file.with_name(f"copy-{file.name}").write_bytes(file.read_bytes())
    (tmp_path / "half.new").write_bytes(b"PAR1")
    assert values(store) == [2.0]
    assert len(store.revisions()) == 1
    assert store.spans()["WCESTUS1"].periods == 1


def test_a_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    store = VintageStore(tmp_path)
    store.append([stock(1.0)], FIRST)
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 nothing of the kind PAR1")
    with pytest.raises(DataError, match=r"damaged\.parquet") as error:
        store.read()
    assert error.value.where == str(tmp_path)


def test_two_processes_write_while_a_third_reads(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import sys
        from datetime import UTC, datetime, timedelta
        from pathlib import Path
        from orchestrator.plant import vintages
        vintages.MOST_FILES = 5
        store = vintages.VintageStore(Path(sys.argv[1]))
        start = datetime(2026, 1, 1, tzinfo=UTC)
        for day in range(30):
            period = start + timedelta(days=day)
            store.append([vintages.Observation(sys.argv[2], period, float(day))], period)
        """
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), name]) for name in "AB"
    ]
    store, seen = VintageStore(tmp_path), 0
    while any(writer.poll() is None for writer in writers):
        rows = store.read().num_rows
        assert rows >= seen
        seen = rows
    assert [writer.returncode for writer in writers] == [0, 0]
    assert {name: span.periods for name, span in store.spans().items()} == {"A": 30, "B": 30}


def test_a_time_without_a_zone_and_a_value_that_is_no_number_are_refused(tmp_path: Path) -> None:
    store = VintageStore(tmp_path)
    naive = FRIDAY.replace(tzinfo=None)
    with pytest.raises(DataError, match="no time zone"):
        store.append([stock(1.0, naive)], FIRST)
    with pytest.raises(DataError, match="not finite"):
        store.append([stock(float("nan"))], FIRST)
    with pytest.raises(DataError, match="no time zone"):
        store.append([stock(1.0)], naive)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.one_of(st.none(), st.integers(0, 3))),
        min_size=1,
        max_size=12,
    )
)
def test_what_was_known_at_each_time_equals_a_plain_record_of_it(updates) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        store, known, record = VintageStore(Path(folder)), {}, []
        for number, (day, value) in enumerate(updates):
            at = FIRST + number * WEEK
            period = FRIDAY + timedelta(days=day)
            store.append([stock(None if value is None else float(value), period)], at)
            if value is not None or period in known:
                known[period] = value
            record.append((at, dict(known)))
        for at, expected in record:
            table = store.read(as_known_at=at)
            found = dict(
                zip(
                    table.column("period").to_pylist(),
                    table.column("value").to_pylist(),
                    strict=True,
                )
            )
            assert found == expected
