"""Writing to a real OPC UA server that refuses, is slow, clamps, drops – and to a writer that is killed."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from orchestrator.errors import PlantRefusedError, UnavailableError
from orchestrator.plant.writer import Writer
from orchestrator.state.repositories import Store
from tests.plant.opcua.writing import READ_BACK_SECONDS, permit_for, writing

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent


class ControlSystem:
    """``set_point_server.py`` with its folder."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"opc.tcp://127.0.0.1:{port}"
        self.folder = folder
        self.takes_writes("well")
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "set_point_server.py"), self.url, str(folder)],
            stdin=subprocess.DEVNULL,
        )
        end = time.monotonic() + 60
        while not (folder / "ready").exists():
            assert self._process.poll() is None, "the server ended"
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.05)

    def takes_writes(self, manner: str) -> None:
        """How it takes them from now on."""
        (self.folder / "manner").write_text(manner)

    def applied(self) -> list[float]:
        """Values that it has applied to FC1, in order."""
        path = self.folder / "applied"
        lines = path.read_text().splitlines() if path.exists() else []
        return [float(line.split()[1]) for line in lines if line.startswith("FC1 ")]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)


@pytest.fixture(scope="module")
def standing_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlSystem]:
    system = ControlSystem(tmp_path_factory.mktemp("control"))
    yield system
    system.kill()


@pytest.fixture
def system(standing_system: ControlSystem) -> ControlSystem:
    standing_system.takes_writes("well")
    return standing_system


async def test_a_write_is_done_when_it_is_read_back(system: ControlSystem, tmp_path: Path) -> None:
    async with writing(system.url, None, tmp_path) as (writer, target, store):
        record = await writer.write(await permit_for(target, 101.5))
        assert (record.state, record.read_back) == ("done", 101.5)
        assert system.applied()[-1] == 101.5
        assert [e.action for e in await store.audit.list()] == ["write.done", "write.intended"]
        assert (await store.audit.verify()).intact


async def test_types_of_nodes_are_kept(system: ControlSystem, tmp_path: Path) -> None:
    async with writing(system.url, None, tmp_path) as (writer, target, _):
        single = await writer.write(await permit_for(target, 77.7, "FC2"))
        assert single.state == "done"
        assert single.read_back == pytest.approx(77.7, rel=1e-6)
        whole = await writer.write(await permit_for(target, 55.0, "FC3"))
        assert (whole.state, whole.read_back) == ("done", 55.0)
        part = await writer.write(await permit_for(target, 55.5, "FC3"))
        assert (part.state, part.reasons) == ("not_done", ("plant-refused",))


@pytest.mark.parametrize(
    ("manner", "state", "reasons", "is_applied"),
    [
        ("out_of_range", "not_done", ("plant-refused",), False),
        ("denied", "not_done", ("plant-refused",), False),
        ("no_communication", "unverified", ("no-answer", "to-be-verified"), False),
        ("ignore", "unverified", ("to-be-verified",), False),
        ("clamp 333", "unverified", ("to-be-verified",), True),
        ("slow 2.2", "done", ("no-answer",), True),
        ("drop_before", "unverified", ("no-answer", "to-be-verified"), False),
        ("drop_after", "done", ("no-answer",), True),
    ],
)
async def test_what_the_plant_did_is_told_and_nothing_is_sent_twice(
    system: ControlSystem,
    tmp_path: Path,
    manner: str,
    state: str,
    reasons: tuple[str, ...],
    is_applied: bool,
) -> None:
    async with writing(system.url, None, tmp_path) as (writer, target, store):
        before = len(system.applied())
        permit = await permit_for(target, 200.0 + random.random())
        system.takes_writes(manner)
        record = await writer.write(permit)
        system.takes_writes("well")
        assert (record.state, record.reasons) == (state, reasons)
        assert len(system.applied()) - before == is_applied
        again = await permit_for(target, 300.0 + random.random())
        following = await writer.write(again)
        if state != "unverified":
            assert following.state == "done", following.text
            return
        assert following.reasons == ("tag-locked",)
        seen: Literal["done", "not_done"] = "done" if is_applied else "not_done"
        settled = await writer.settle(record.id, seen, by="Ann", why="seen at the panel")
        assert settled.settled_by == "Ann"
        assert (await writer.write(again)).state == "done"
        assert (await store.audit.list(limit=10))[0].action == "write.done"


async def test_what_the_plant_does_after_the_last_look_is_left_to_a_person(
    system: ControlSystem, tmp_path: Path
) -> None:
    async with writing(system.url, None, tmp_path) as (writer, target, _):
        before = len(system.applied())
        system.takes_writes(f"slow {READ_BACK_SECONDS + 1.0}")
        permit = await permit_for(target, 250.0 + random.random())
        record = await writer.write(permit)
        system.takes_writes("well")
        assert (record.state, len(system.applied()) - before) == ("unverified", 0)
        end = time.monotonic() + 10
        while len(system.applied()) == before and time.monotonic() < end:
            await asyncio.sleep(0.1)
        assert system.applied()[-1] == permit.value
        again = await permit_for(target, 260.0)
        assert (await writer.write(again)).reasons == ("tag-locked",)
        await writer.settle(record.id, "done", by="Ann", why="seen at the panel")


@pytest.mark.parametrize(
    ("tag", "value", "said"),
    [
        ("FC3", 100.5, "whole numbers from -2147483648 to 2147483647, not 100.5"),
        ("FC3", 3e9, "whole numbers from -2147483648"),
        ("FC2", 1e39, "cannot hold 1e\\+39"),
        ("HS4", 1.0, "holds no number but Boolean"),
    ],
)
async def test_a_value_that_the_node_cannot_hold_unchanged_is_not_sent(
    system: ControlSystem, tmp_path: Path, tag: str, value: float, said: str
) -> None:
    async with writing(system.url, None, tmp_path) as (_, target, _):
        await target.read(tag)
        with pytest.raises(PlantRefusedError, match=said):
            await target.write(tag, value)


async def test_nothing_is_sent_to_a_server_that_is_gone(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    system = ControlSystem(tmp_path_factory.mktemp("going"))
    async with writing(system.url, None, tmp_path) as (writer, target, _):
        permit = await permit_for(target, 120.0)
        system.kill()
        record = await writer.write(permit)
        assert (record.state, record.reasons) == ("refused", ("value-missing", "unreadable"))
        with pytest.raises(PlantRefusedError, match="was not sent"):
            await target.write("FC1", 120.0)


async def test_a_tag_without_a_node_is_named(system: ControlSystem, tmp_path: Path) -> None:
    async with writing(system.url, None, tmp_path) as (_, target, _):
        with pytest.raises(UnavailableError, match="FC9 is no variable"):
            await target.read("FC9")


async def test_the_target_refuses_what_the_server_refuses(
    system: ControlSystem, tmp_path: Path
) -> None:
    async with writing(system.url, None, tmp_path) as (_, target, _):
        await target.read("FC1")
        system.takes_writes("out_of_range")
        with pytest.raises(PlantRefusedError, match="outside the range of the control system"):
            await target.write("FC1", 1e6)


class Killed:
    """``write_process.py``, to be killed: by itself at a point, or by the test once it has written."""

    def __init__(self, url: str, database: str, home: Path, first: float, point: str = "") -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                str(HERE / "write_process.py"),
                url,
                database,
                str(home),
                str(first),
                point,
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        # Log lines of the first start come before it.
        wanted = "ready" if point else "done"
        while (line := self.process.stdout.readline()) and not line.startswith(wanted):
            pass
        assert line, self.process.communicate()[1]

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=20)


async def is_known(system: ControlSystem, store: Store) -> None:
    """Each write that the journal knows has an end, and it is the one that the plant saw."""
    seen = Counter(system.applied())
    page = await store.writes.list(limit=1000)
    by_state = Counter(record.state for record in page.items)
    for record in page.items:
        assert record.state in {"done", "not_done", "refused", "unverified"}, record
        if record.state != "unverified":
            assert seen[record.value] == (record.state == "done"), record
    assert by_state["done"], "nothing was written: the test shows nothing"
    assert (await store.audit.verify()).intact


async def seen_at_the_panel(system: ControlSystem, writer: Writer, store: Store) -> None:
    """A person settles what is to be verified, by what the control system has done."""
    for record in await store.writes.open_writes():
        end: Literal["done", "not_done"] = (
            "done" if record.value in system.applied() else "not_done"
        )
        await writer.settle(record.id, end, by="Ann", why="seen at the panel")


POINTS = ("before intend", "after intend", "before write", "after write", "before end", "after end")


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_any_station_the_write_is_known_afterwards(
    system: ControlSystem, tmp_path: Path, point: str
) -> None:
    first = 400.0 + 10 * POINTS.index(point)
    process = Killed(system.url, "", tmp_path, first, point)
    process.process.communicate(timeout=60)
    assert process.process.returncode == -9
    async with writing(system.url, None, tmp_path) as (writer, target, store):
        found = await writer.recover()
        open_before = point in {"after intend", "before write", "after write", "before end"}
        assert [r.state for r in found] == (
            ["done" if point in {"after write", "before end"} else "unverified"]
            if open_before
            else []
        )
        await is_known(system, store)
        await seen_at_the_panel(system, writer, store)
        assert (await writer.write(await permit_for(target, first + 9))).state == "done"


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("rounds", [1, pytest.param(25, marks=pytest.mark.slow)])
@pytest.mark.timeout(600)
async def test_killed_at_a_random_instant_the_write_is_known_afterwards(
    system: ControlSystem,
    tmp_path: Path,
    database: str,
    rounds: int,
    request: pytest.FixtureRequest,
) -> None:
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else ""
    for _ in range(rounds):
        # Each value is of one write: that after the last one applied may have been tried and not done.
        first = max([1000.0, *system.applied()]) + 2
        process = Killed(system.url, url, tmp_path, first)
        time.sleep(random.uniform(0.0, 0.3))
        process.end()
        async with writing(system.url, url or None, tmp_path) as (writer, _, store):
            await writer.recover()
            await is_known(system, store)
            await seen_at_the_panel(system, writer, store)
