"""Input data of a job: a reference in the request, a file for the worker, nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import counting
import numpy as np
import pyarrow as pa
import pytest
from coordinating import Opened, opened, settings_for

from orchestrator.clock import PlantClock
from orchestrator.core.inputs import inline_table
from orchestrator.errors import DataError, UnknownTagError
from orchestrator.modules.base import InlineData, Module, Needs
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Plant, Tag

START = datetime(2026, 3, 1, tzinfo=UTC)
READ = next(operation for operation in counting.OPERATIONS if operation.name == "read")
RECENT = Module(
    name="recent",
    summary="",
    operations=(replace(READ, module="recent", needs=Needs(history=timedelta(hours=1))),),
)
ROWS = [
    {"time": "2026-03-01T00:00:00Z", "FI1": 1.0},
    {"time": "2026-03-01T00:01:00Z", "FI1": None},
]


def block(minutes: int) -> SampleBlock:
    times = np.datetime64("2026-03-01T00:00:00", "us") + np.arange(minutes) * np.timedelta64(1, "m")
    values = np.column_stack([np.arange(minutes, dtype=float), np.ones(minutes)])
    return SampleBlock(("FI1", "TI1"), times, values, np.zeros(values.shape, np.uint8))


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Opened]:
    plant = Plant(tags=(Tag(name="FI1"), Tag(name="TI1"), Tag(name="spare")))
    async with opened(
        tmp_path, settings_for(), modules=(counting.MODULE, RECENT), plant=plant,
        clock=PlantClock(START + timedelta(hours=5)),
    ) as it:  # fmt: skip
        yield it


def files(service: Opened) -> list[Path]:
    return sorted(service.home.exchange.iterdir())


async def read(service: Opened, module: str = "counting", **parameters: Any) -> dict[str, Any]:
    job = await service.coordinator.invoke(module, "read", parameters)
    outcome = await service.coordinator.wait(job.id, 30)
    assert outcome.status == "succeeded", outcome.error
    assert outcome.result is not None
    return outcome.result


async def test_a_range_of_the_historian_reaches_the_worker_and_its_file_goes(
    service: Opened,
) -> None:
    service.historian.append(block(120))
    wanted = {"tags": ["TI1"], "start": "2026-03-01T00:10:00Z", "end": "2026-03-01T00:19:00Z"}
    result = await read(service, data=wanted)
    assert (result["counted"], result["details"]["columns"]) == (10, ["time", "TI1"])
    assert files(service) == []


async def test_a_range_without_tags_is_all_tags(service: Opened) -> None:
    service.historian.append(block(5))
    wanted = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-01T01:00:00Z"}
    assert (await read(service, data=wanted))["details"]["columns"] == ["time", "FI1", "TI1"]


async def test_without_data_an_operation_reads_its_latest_history(service: Opened) -> None:
    assert (await read(service, "recent"))["summary"] == "no data"
    service.historian.append(block(120))
    job = await service.coordinator.invoke("recent", "read", {})
    # The clock is hours ahead of the last sample, at 01:59.
    kept = job.request["data"]["range"]
    assert (kept["start"], kept["end"]) == ("2026-03-01T00:59:00Z", "2026-03-01T01:59:00Z")
    outcome = await service.coordinator.wait(job.id, 30)
    assert outcome.result is not None
    assert outcome.result["counted"] == 61


async def test_an_operation_without_history_of_its_own_gets_none(service: Opened) -> None:
    service.historian.append(block(5))
    assert (await read(service))["summary"] == "no data"


async def test_a_tag_that_nobody_knows_is_refused_before_acceptance(service: Opened) -> None:
    wanted = {"tags": ["FI9"], "start": "2026-03-01T00:00:00Z", "end": "2026-03-01T01:00:00Z"}
    with pytest.raises(UnknownTagError, match='"FI9"'):
        await service.coordinator.invoke("counting", "read", {"data": wanted})
    known = {**wanted, "tags": ["spare"]}  # in the plant, without samples yet
    assert (await read(service, data=known))["counted"] == 0


async def test_a_range_that_ends_before_it_starts_is_refused(service: Opened) -> None:
    wanted = {"start": "2026-03-01T02:00:00Z", "end": "2026-03-01T01:00:00Z"}
    with pytest.raises(DataError, match="is after end"):
        await service.coordinator.invoke("counting", "read", {"data": wanted})


async def test_rows_travel_as_a_file_not_in_the_request(service: Opened) -> None:
    job = await service.coordinator.invoke("counting", "read", {"data": {"rows": ROWS}})
    assert "data" not in job.request["parameters"]
    assert set(job.request["data"]) == {"sha256"}
    outcome = await service.coordinator.wait(job.id, 30)
    assert outcome.result is not None
    assert (outcome.result["counted"], outcome.result["details"]["columns"]) == (2, ["time", "FI1"])
    assert files(service) == []


async def test_equal_rows_are_one_file_which_stays_until_its_last_job_has_ended(
    service: Opened, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    blocking = await service.coordinator.invoke("counting", "hang", {"mark": str(mark)})
    while not mark.exists():
        await asyncio.sleep(0.01)
    asked = ("counting", "read", {"data": {"rows": ROWS}})
    first, second = [await service.coordinator.invoke(*asked) for _ in range(2)]
    assert len(files(service)) == 1
    await service.coordinator.cancel(first.id)
    assert len(files(service)) == 1
    await service.coordinator.cancel(blocking.id)
    assert (await service.coordinator.wait(second.id, 30)).status == "succeeded"
    assert files(service) == []


async def test_a_restart_keeps_what_unfinished_jobs_need_and_nothing_else(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    home = tmp_path / "home"
    async with opened(home, settings_for()) as service:
        blocking = await service.coordinator.invoke("counting", "hang", {"mark": str(mark)})
        while not mark.exists():
            await asyncio.sleep(0.01)
        job = await service.coordinator.invoke("counting", "read", {"data": {"rows": ROWS}})
        await service.store.jobs.request_cancel(blocking.id)
    (home / "exchange" / "left-over.arrow").touch()
    async with opened(home, settings_for()) as service:
        outcome = await service.coordinator.wait(job.id, 30)
        assert outcome.status == "succeeded"
        assert files(service) == []


async def test_what_is_refused_leaves_no_file(service: Opened) -> None:
    ragged = {"columns": {"time": ["2026-03-01T00:00:00Z"], "FI1": [1.0, 2.0]}}
    with pytest.raises(DataError, match=r"differ in length \(time: 1, FI1: 2\)"):
        await service.coordinator.invoke("counting", "read", {"data": ragged})
    await service.coordinator.stop()
    with pytest.raises(Exception, match="starting or stopping"):
        await service.coordinator.invoke("counting", "read", {"data": {"rows": ROWS}})
    assert files(service) == []


def table(**columns: list[Any]) -> pa.Table:
    return inline_table(InlineData(columns=columns))


def test_numbers_become_float_with_null_where_nothing_is() -> None:
    made = table(time=["2026-03-01T00:00:00Z"] * 3, a=[1, None, 2.5], b=[float("nan"), 1, 2])
    assert made.schema.field("time").type == pa.timestamp("us", tz="UTC")
    assert made.column("a").to_pylist() == [1.0, None, 2.5]
    assert made.column("b").to_pylist() == [None, 1.0, 2.0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, False, None], [1.0, 0.0, None]),
        ([None, None, None], [None, None, None]),
        ([1, 2**70, 3], [1.0, 2.0**70, 3.0]),
    ],
)
def test_odd_numbers_are_still_numbers(values: list[Any], expected: list[Any]) -> None:
    made = table(time=["2026-03-01T00:00:00Z"] * 3, a=values)
    assert made.schema.field("a").type == pa.float64()
    assert made.column("a").to_pylist() == expected


def test_words_stay_words() -> None:
    made = table(time=["2026-03-01T00:00:00Z"] * 2, grade=["A", None], mixed=[1, "bad"])
    assert made.column("grade").to_pylist() == ["A", None]
    assert made.column("mixed").to_pylist() == ["1", "bad"]


def test_the_time_column_is_the_first_that_parses_as_time() -> None:
    made = table(no=["7", "8"], when=["2026-03-01 00:00", "2026-03-01T02:00:00+01:00"], a=[1, 2])
    assert made.column_names == ["time", "no", "a"]
    assert made.column("time").to_pylist() == [START, START + timedelta(hours=1)]


def test_times_that_do_not_parse_are_left_for_the_operation_to_name() -> None:
    made = table(time=["2026-03-01T00:00:00Z", "yesterday"], a=[1, 2])
    assert made.column("time").to_pylist() == ["2026-03-01T00:00:00Z", "yesterday"]


def test_rows_with_different_keys_are_filled_with_null() -> None:
    made = inline_table(InlineData(rows=({"time": "2026-03-01T00:00Z", "a": 1}, {"b": 2})))
    assert made.to_pydict() == {"time": [START, None], "a": [1.0, None], "b": [None, 2.0]}


def test_no_rows_make_an_empty_table() -> None:
    assert inline_table(InlineData(rows=())).num_rows == 0
