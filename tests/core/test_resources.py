"""Free shares of the machine, held against psutil."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from orchestrator.core import resources
from orchestrator.core.resources import ResourceMeter, resident_mb

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the Linux kernel's files")


def test_memory_agrees_with_psutil() -> None:
    share = ResourceMeter().memory_free_share()
    memory = psutil.virtual_memory()
    assert share is not None
    assert 0 <= share <= memory.available / memory.total + 0.1


def test_resident_memory_agrees_with_psutil() -> None:
    assert resident_mb(os.getpid()) == pytest.approx(
        psutil.Process().memory_info().rss / 1e6, rel=0.1
    )
    assert resident_mb(2**22 + 1) is None


@pytest.fixture
def processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes what the kernel tells of its processors, in ticks since boot."""
    monkeypatch.setattr(resources, "_PROC", tmp_path)

    def write(*, user: int, idle: int, nice: int = 0, wait: int = 0) -> None:
        (tmp_path / "stat").write_text(f"cpu  {user} {nice} 0 {idle} {wait} 0 0 0 0 0\ncpu0 1 1\n")

    return write


def test_the_free_share_is_of_the_time_between_two_readings(
    processor: Callable[..., None],
) -> None:
    meter = ResourceMeter(span_s=0.0)
    processor(user=1000, idle=9000)
    assert meter.cpu_free_share() is None
    processor(user=1090, idle=9010)
    assert meter.cpu_free_share() == pytest.approx(0.1)
    processor(user=1100, nice=60, idle=9020, wait=20)
    assert meter.cpu_free_share() == pytest.approx(0.9)


def test_readings_close_together_agree(processor: Callable[..., None]) -> None:
    meter = ResourceMeter(span_s=3600, least_span_s=0.0)
    processor(user=1000, idle=9000)
    assert meter.cpu_free_share() is None
    processor(user=1090, idle=9010)
    assert meter.cpu_free_share() == pytest.approx(0.1)
    processor(user=1090, idle=9110)
    assert meter.cpu_free_share() == pytest.approx(0.1)


def test_the_free_share_agrees_with_psutil() -> None:
    meter = ResourceMeter(span_s=0.0)
    begin = psutil.cpu_times()
    meter.cpu_free_share()
    # until the kernel has counted enough ticks that the two moments of reading do not matter
    while sum(psutil.cpu_times()[:8]) - sum(begin[:8]) < 1.0:
        sum(range(100_000))
    share, end = meter.cpu_free_share(), psutil.cpu_times()
    spent = [late - early for early, late in zip(begin[:8], end[:8], strict=True)]
    free = [end.nice - begin.nice, end.idle - begin.idle, end.iowait - begin.iowait]
    assert share == pytest.approx(sum(free) / sum(spent), abs=0.1)


def test_scarce_means_less_than_the_least_share() -> None:
    meter = ResourceMeter(span_s=0.0)
    assert not meter.scarce(0.0)
    assert meter.scarce(1.01)
