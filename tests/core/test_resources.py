"""Free shares of the machine, held against psutil."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

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


def test_a_busy_processor_shows_and_readings_close_together_agree() -> None:
    meter = ResourceMeter(span_s=0.3)
    assert meter.cpu_free_share() is None
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        time.sleep(0.5)
        meter.cpu_free_share()
        time.sleep(1.0)
        share = meter.cpu_free_share()
        assert share is not None
        assert share < 0.5
        assert meter.cpu_free_share() == share
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_scarce_means_less_than_the_least_share() -> None:
    meter = ResourceMeter(span_s=0.0)
    assert not meter.scarce(0.0)
    assert meter.scarce(1.01)
