"""Free shares of the machine, held against psutil."""

from __future__ import annotations

import os
import sys
import time
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


def test_the_free_share_is_of_the_time_between_two_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def processor(user: int, nice: int, idle: int, wait: int) -> None:
        (tmp_path / "stat").write_text(f"cpu  {user} {nice} 0 {idle} {wait} 0 0 0 0 0\ncpu0 1 1\n")

    monkeypatch.setattr(resources, "_PROC", tmp_path)
    meter = ResourceMeter(span_s=0.0)
    processor(user=1000, nice=0, idle=9000, wait=0)
    assert meter.cpu_free_share() is None
    processor(user=1090, nice=0, idle=9010, wait=0)
    assert meter.cpu_free_share() == pytest.approx(0.1)
    processor(user=1100, nice=60, idle=9020, wait=20)
    assert meter.cpu_free_share() == pytest.approx(0.9)


def test_readings_close_together_agree() -> None:
    meter = ResourceMeter(span_s=3600, least_span_s=0.0)
    assert meter.cpu_free_share() is None
    end = time.monotonic() + 30
    while (share := meter.cpu_free_share()) is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert 0 <= share <= 1
    sum(range(2_000_000))
    assert meter.cpu_free_share() == share


def test_scarce_means_less_than_the_least_share() -> None:
    meter = ResourceMeter(span_s=0.0)
    assert not meter.scarce(0.0)
    assert meter.scarce(1.01)
