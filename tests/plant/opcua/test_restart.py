"""Our own process is killed while a gap is open: the next one fills it, and repeats nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from orchestrator.core.gap_keeper import GapKeeper
from orchestrator.plant.historian import Historian
from orchestrator.plant.opcua.values import microseconds
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.sources.base import Gap
from tests.plant.opcua.conftest import ROOT, PlantServer
from tests.plant.opcua.test_live_loop import settings_for

Serve = Callable[..., PlantServer]
TAGS = [f"T{i:04}" for i in range(5)]


class Ours:
    """A process that runs the live loop, as ``dan-g run`` does without its service."""

    SCRIPT = (
        "import asyncio, sys; from pathlib import Path\n"
        "from orchestrator.config_file import load_settings\n"
        "from orchestrator.core.orchestrator import Orchestrator\n"
        "from orchestrator.core.sources import configured_sources\n"
        "from orchestrator.plant.sources import opcua\n"
        "opcua.OVERLAP_SECONDS = 1.0\n"  # what is read anew in any case must not reach the gap
        "async def main():\n"
        "    settings = load_settings(Path(sys.argv[1]), environment={})\n"
        "    source, _ = configured_sources(settings)\n"
        "    async with await Orchestrator.open(settings, source=source) as it:\n"
        "        await it.run()\n"
        "asyncio.run(main())\n"
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "ours.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", self.SCRIPT, str(self._folder / "site.yaml")],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def unfilled(self) -> dict[str, str] | None:
        """What the process has written down of its gaps."""
        try:
            return json.loads((self._folder / "gaps.json").read_text())["unfilled"]
        except FileNotFoundError:
            return None

    def wait_until(self, true: Callable[[], bool], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, self._log.read_text()[-2000:]
            assert self._process is None or self._process.poll() is None, self._log.read_text()
            time.sleep(0.05)


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Ours]:
    process = Ours(tmp_path)
    yield process
    process.kill()


def held(folder: Path) -> dict[tuple[str, int], float]:
    """Good samples in the historian by tag and time; fails where a tag has two at one time."""
    with duckdb.connect(str(folder / "historian.duckdb"), read_only=True) as file:
        twice = file.execute(
            "SELECT tag, time FROM samples GROUP BY ALL HAVING count(*) > 1"
        ).fetchall()
    assert twice == []
    with Historian(folder / "historian.duckdb") as historian:
        table = historian.read(historian.tags(), None, None)
    found = {}
    for tag in table.column_names[1:]:
        for at, value in zip(
            table.column("time").to_pylist(), table.column(tag).to_pylist(), strict=True
        ):
            if value is not None:
                found[tag, microseconds(at)] = value
    return found


def assert_complete(server: PlantServer, folder: Path, until: float) -> None:
    got = held(folder)
    first = min(at for _, at in got)
    expected = {
        key: stored.value
        for key, stored in server.stored().items()
        if first <= key[1] <= until * 1e6 and stored.value is not None
    }
    assert len(expected) > 60
    assert {key: got.get(key) for key in expected} == expected


def test_gap_of_a_dead_server_is_filled_though_we_were_killed_in_it(
    serve: Serve, ours: Ours, tmp_path: Path
) -> None:
    server = serve(items=5)
    settings_for(server.url, tmp_path)
    ours.start()
    ours.wait_until(lambda: ours.unfilled() == {})
    time.sleep(2.0)
    server.kill()
    ours.wait_until(lambda: sorted(ours.unfilled() or ()) == TAGS)
    ours.kill()
    time.sleep(1.0)
    server.start()
    ours.start()
    ours.wait_until(lambda: ours.unfilled() == {})
    again = time.time()
    time.sleep(4.0)
    ours.kill()
    assert_complete(server, tmp_path, again)


def test_gap_behind_later_live_samples_is_filled_after_a_kill(
    serve: Serve, ours: Ours, tmp_path: Path
) -> None:
    server = serve(items=5)
    settings_for(server.url, tmp_path)
    ours.start()
    ours.wait_until(lambda: ours.unfilled() == {})
    time.sleep(2.0)
    server.history.with_suffix(".down").touch()
    server.kill()
    ours.wait_until(lambda: sorted(ours.unfilled() or ()) == TAGS)
    since = ours.unfilled()
    time.sleep(2.0)
    server.start()
    time.sleep(5.0)  # live samples flow, and the history fails again and again
    assert ours.unfilled() == since
    ours.kill()
    back = time.time()
    missing = {
        key
        for key, stored in server.stored().items()
        if stored.value is not None and microseconds(datetime.fromisoformat(since[key[0]])) < key[1]
    } - set(held(tmp_path))
    assert len(missing) > 20
    server.history.with_suffix(".down").unlink()
    ours.start()
    ours.wait_until(lambda: ours.unfilled() == {})
    time.sleep(3.0)
    ours.kill()
    assert_complete(server, tmp_path, back)


class Asked:
    """A source that keeps what it is told."""

    overlap = timedelta(seconds=10)

    def __init__(self) -> None:
        self.gaps: dict[str, Gap] = {}
        self.now: dict[str, datetime] = {}

    def resume_gaps(self, gaps: dict[str, Gap]) -> None:
        self.gaps = gaps

    def unfilled(self) -> dict[str, datetime]:
        return self.now


BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def filled(path: Path) -> Historian:
    """A and B each second of ten minutes; B has none from minute 2 to 8."""
    historian = Historian(path)
    times = np.datetime64("2026-01-01", "us") + np.arange(600) * np.timedelta64(1, "s")
    values = np.ones((600, 2))
    quality = np.zeros((600, 2), dtype=np.uint8)
    values[120:480, 1], quality[120:480, 1] = np.nan, 3
    historian.append(SampleBlock(("A", "B"), times, values, quality))
    historian.flush()
    return historian


def test_an_old_gap_is_asked_for_again_and_what_is_held_is_named(tmp_path: Path) -> None:
    with filled(tmp_path / "h.duckdb") as historian:
        source = Asked()
        keeper = GapKeeper(tmp_path / "gaps.json", source, "plant", ["A", "B", "new"], historian)
        source.now = {"B": BEGIN + timedelta(minutes=2)}
        keeper.keep()
        later = GapKeeper(tmp_path / "gaps.json", source, "plant", ["A", "B", "new"], historian)
        newest = BEGIN + timedelta(seconds=599)
        assert later.resume() == newest
        assert source.gaps["A"].since == newest - timedelta(seconds=10)
        assert source.gaps["B"].since == BEGIN + timedelta(seconds=110)
        assert source.gaps["new"].since == newest - timedelta(seconds=10)
        asked = {int(at) for at in source.gaps["B"].held}
        assert {microseconds(BEGIN + timedelta(seconds=s)) for s in (119, 480, 599)} <= asked
        assert microseconds(BEGIN + timedelta(seconds=300)) not in asked
        assert len(source.gaps["new"].held) == 0


def test_a_record_of_another_source_or_a_broken_one_is_not_believed(tmp_path: Path) -> None:
    with filled(tmp_path / "h.duckdb") as historian:
        source = Asked()
        source.now = {"B": BEGIN}
        GapKeeper(tmp_path / "gaps.json", source, "elsewhere", ["B"], historian).keep()
        for broken in (False, True):
            if broken:
                (tmp_path / "gaps.json").write_text('{"source": "plant", "unfilled"')
            keeper = GapKeeper(tmp_path / "gaps.json", source, "plant", ["B"], historian)
            keeper.resume()
            assert source.gaps["B"].since == BEGIN + timedelta(seconds=589)


def test_gaps_that_cannot_be_written_down_do_not_end_the_loop(tmp_path: Path) -> None:
    with filled(tmp_path / "h.duckdb") as historian:
        source = Asked()
        source.now = {"B": BEGIN}
        keeper = GapKeeper(tmp_path / "absent" / "gaps.json", source, "plant", ["B"], historian)
        keeper.keep()
        (tmp_path / "absent").mkdir()
        source.now = {"B": BEGIN, "A": BEGIN}
        keeper.keep()
        assert set(json.loads((tmp_path / "absent" / "gaps.json").read_text())["unfilled"]) == {
            "A", "B"
        }  # fmt: skip
